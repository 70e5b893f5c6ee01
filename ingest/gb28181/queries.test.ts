import iconv from 'iconv-lite';
import { afterEach, describe, expect, it } from 'vitest';
import { CAMERA_ID, Fixture } from './testing/fixture.js';
import { header, reply, type TestCamera } from './testing/test-camera.js';

let fixture: Fixture;
afterEach(() => fixture.close());

const item = (n: number, more = ''): string =>
  `<Item><DeviceID>3402000000131000${String(n).padStart(4, '0')}</DeviceID><Name>Cam ${n}</Name><Manufacturer>M</Manufacturer><Status>ON</Status>${more}</Item>`;
const part = (sn: string, total: number, items: string[]): string =>
  `<?xml version="1.0" encoding="GB2312"?>\r\n<Response><CmdType>Catalog</CmdType><SN>${sn}</SN><DeviceID>${CAMERA_ID}</DeviceID><SumNum>${total}</SumNum><DeviceList Num="${items.length}">${items.join('')}</DeviceList></Response>`;

/** A camera that answers each query of type `cmdType` with 200 and then with the MESSAGE bodies that `parts` gives. */
function answering(camera: TestCamera, cmdType: string, parts: (sn: string) => string[]): string[] {
  const queries: string[] = [];
  camera.onRequest = (text) => {
    if (!text.startsWith('MESSAGE') || !text.includes(`<CmdType>${cmdType}</CmdType>`)) return null;
    queries.push(text);
    camera.send(reply(text, 200, 'OK'));
    for (const body of parts(/<SN>(\d+)</.exec(text)?.[1] as string)) camera.send(camera.message(body));
    return null;
  };
  return queries;
}

describe('the catalogue', () => {
  it.each(['UDP', 'TCP'] as const)('comes in one message over %s', async (transport) => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered(transport);
    const queries = answering(camera, 'Catalog', (sn) => [part(sn, 2, [item(1), item(2, '<Info><PTZType>3</PTZType></Info>')])]);
    const result = await fixture.server.queryCatalog(CAMERA_ID);
    expect(result).toMatchObject({ total: 2, complete: true });
    expect(result.items[1]).toMatchObject({ id: '34020000001310000002', name: 'Cam 2', online: true, ptzType: 3, longitude: null });
    expect(fixture.server.device(CAMERA_ID)?.channels).toHaveLength(2);
    const query = queries[0] as string;
    expect(header(query, 'Content-Type')).toBe('Application/MANSCDP+xml');
    expect(query.split('\r\n\r\n')[1]).toMatch(/^<\?xml version="1.0" encoding="GB2312"\?>\r\n<Query>\r\n<CmdType>Catalog<\/CmdType>\r\n<SN>\d+<\/SN>\r\n<DeviceID>34020000001320000001<\/DeviceID>\r\n<\/Query>\r\n$/);
  });

  it('comes in 500 parts, some of them twice, and other SNs do not mix in', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered('TCP');
    answering(camera, 'Catalog', (sn) => {
      const parts = Array.from({ length: 500 }, (_, i) => part(sn, 500, [item(i)]));
      return [part('999999999', 500, [item(9000)]), ...parts.slice(0, 10), ...parts];
    });
    const result = await fixture.server.queryCatalog(CAMERA_ID);
    expect(result.complete).toBe(true);
    expect(result.items).toHaveLength(500);
    expect(result.items.some(({ name }) => name === 'Cam 9000')).toBe(false);
  });

  it('that loses parts is marked as partial', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    answering(camera, 'Catalog', (sn) => [part(sn, 3, [item(1)]), part(sn, 3, [item(3)])]);
    const result = await fixture.server.queryCatalog(CAMERA_ID);
    expect(result).toMatchObject({ total: 3, complete: false });
    expect(result.items).toHaveLength(2);
    expect(fixture.server.device(CAMERA_ID)?.catalogComplete).toBe(false);
  });

  it.each<[string, number[], number[], boolean]>([
    ['is whole where the second answer has what the first lost', [1, 3], [2, 3], true],
    ['stays partial where both lose the same', [1, 3], [1, 3], false],
    ['stays partial where the second answer is of another length', [1, 3], [], false],
  ])('that loses parts is asked for once more: it %s', async (_name, first, second, complete) => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    let asked = 0;
    answering(camera, 'Catalog', (sn) => (++asked === 1 ? first.map((n) => part(sn, 3, [item(n)])) : second.length === 0 ? [part(sn, 0, [])] : second.map((n) => part(sn, 3, [item(n)]))));
    const result = await fixture.server.queryCatalog(CAMERA_ID);
    expect(result).toMatchObject({ total: 3, complete });
    expect(result.items.map(({ name }) => name).sort()).toEqual(complete ? ['Cam 1', 'Cam 2', 'Cam 3'] : ['Cam 1', 'Cam 3']);
    expect(asked).toBe(2);
  });

  it('that comes in part takes no channel away that was known', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    let asked = 0;
    answering(camera, 'Catalog', (sn) => (++asked === 1 ? [part(sn, 3, [item(1), item(2), item(3)])] : [part(sn, 3, [item(2)])]));
    expect((await fixture.server.queryCatalog(CAMERA_ID)).complete).toBe(true);
    expect((await fixture.server.queryCatalog(CAMERA_ID)).items).toHaveLength(1);
    expect(fixture.server.device(CAMERA_ID)).toMatchObject({ catalogComplete: false, channels: [{ name: 'Cam 1' }, { name: 'Cam 2' }, { name: 'Cam 3' }] });
  });

  it('may be empty', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    answering(camera, 'Catalog', (sn) => [`<Response><CmdType>Catalog</CmdType><SN>${sn}</SN><DeviceID>${CAMERA_ID}</DeviceID><SumNum>0</SumNum></Response>`]);
    expect(await fixture.server.queryCatalog(CAMERA_ID)).toEqual({ items: [], total: 0, complete: true });
  });

  it('with names in GB2312, whatever the prolog says, and raw ampersands', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    answering(camera, 'Catalog', (sn) => {
      const xml = part(sn, 1, ['<Item><DeviceID>34020000001310000001</DeviceID><Name>香港中路&南京路<东></Name><Address>A < B</Address><Status>OFF</Status></Item>']).replace('GB2312', 'UTF-8');
      return [iconv.encode(xml, 'gb2312').toString('latin1')];
    });
    const result = await fixture.server.queryCatalog(CAMERA_ID);
    expect(result.items[0]).toMatchObject({ name: '香港中路&南京路<东>', address: 'A < B', online: false });
  });

  it('that is refused or never comes says so', async () => {
    fixture = await new Fixture({ queryTimeoutMs: 150 }).start();
    const camera = await fixture.registered();
    await expect(fixture.server.queryCatalog(CAMERA_ID)).rejects.toThrow(/no answer came in 150 ms/);
    camera.onRequest = (text) => reply(text, 200, 'OK');
    await expect(fixture.server.queryCatalog(CAMERA_ID)).rejects.toThrow(/took the query but sent no answer in 150 ms/);
    camera.onRequest = (text) => reply(text, 400, 'Bad Request');
    await expect(fixture.server.queryCatalog(CAMERA_ID)).rejects.toThrow(/it refused with 400 Bad Request/);
    await expect(fixture.server.queryCatalog('34020000001320000009')).rejects.toThrow(/has never registered/);
  });
});

it('DeviceInfo is asked, read and kept', async () => {
  fixture = await new Fixture().start();
  const camera = await fixture.registered();
  answering(camera, 'DeviceInfo', (sn) => [
    `<Response><CmdType>DeviceInfo</CmdType><SN>${sn}</SN><DeviceID>${CAMERA_ID}</DeviceID><Result>OK</Result><DeviceName>Pole 7</DeviceName><Manufacturer>ACME</Manufacturer><Model>HP-4</Model><Firmware>V1.2</Firmware><Channel>65535</Channel></Response>`,
  ]);
  const info = { name: 'Pole 7', manufacturer: 'ACME', model: 'HP-4', firmware: 'V1.2', channels: null };
  expect(await fixture.server.queryDeviceInfo(CAMERA_ID)).toEqual(info);
  expect(fixture.server.device(CAMERA_ID)?.info).toEqual(info);
});
