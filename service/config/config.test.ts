import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../base/program-root.js';
import { readConfig } from './config.js';
import { parseYaml } from './read-yaml.js';
import { cameraSite, intakeKey, SiteSchema, type SiteCamera } from './site.js';

describe('readConfig', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'bw-config-'))));
  afterAll(() => rmSync(folder, { recursive: true }));

  function read(text: string, environment: NodeJS.ProcessEnv = {}): ReturnType<typeof readConfig> {
    const file = join(folder, 'berthwatch.yaml');
    writeFileSync(file, text);
    return readConfig(file, environment);
  }

  it('gives every key its default and binds to loopback', () => {
    const config = read('');
    expect(config.http.host).toBe('127.0.0.1');
    expect(config.footage.retention).toBe(30 * 86_400_000);
    expect(config.dataFolder).toBe(join(folder, 'data'));
    expect(config.gb28181.mediaPorts).toEqual({ from: 30_000, to: 30_499 });
  });

  it('lists every problem with file, line and key, unknown keys among them', () => {
    const attempt = (): unknown => read('footage:\n  retention: soon\n  segmnt: 1m\nhttp:\n  port: 70000\n');
    expect(attempt).toThrow(/berthwatch\.yaml:2 footage\.retention: "soon" is not a duration/);
    expect(attempt).toThrow(/segmnt/);
    expect(attempt).toThrow(/:5 http\.port/);
    expect(attempt).toThrow(/3 problems/);
  });

  it('refuses to be reachable without a token', () => {
    expect(() => read('http: { host: 0.0.0.0 }')).toThrow(/set http\.token/);
    expect(read('http: { host: 0.0.0.0 }', { BERTHWATCH_TOKEN: 'a-token-of-some-length' }).http.token).toBe('a-token-of-some-length');
  });

  it('reads the example that docker/ ships', () => {
    const config = readConfig(join(program.root, 'docker', 'berthwatch.yaml'), { BERTHWATCH_TOKEN: 'a-token-of-some-length' });
    expect(config.gb28181.advertisedHost).not.toBeNull();
  });

  it('takes DATABASE_URL from the environment', () => {
    expect(read('', { DATABASE_URL: 'postgres://x' }).database.url).toBe('postgres://x');
  });

  it('refuses broken YAML and alias bombs', () => {
    expect(() => read('a: [')).toThrow(/is not YAML/);
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${['b', 'c', 'd', 'e', 'f'].map((key, i) => `${key}: &${key} [${Array(10).fill(`*${'abcde'[i]}`).join(',')}]`).join('\n')}\n`;
    expect(() => read(bomb)).toThrow(/alias/i);
    expect(() => readConfig(join(folder, 'missing.yaml'))).toThrow(/cannot read/);
  });
});

describe('SiteSchema', () => {
  const site = `
lots: [{ code: 370200A01, name: 香港中路 }]
cameras:
  - id: cam-1
    name: 香港中路 1 号
    deviceNumber: QD-0001
    lot: 370200A01
    roadSection: 香港中路
    direction: 由东向西
    width: 1920
    height: 1080
    gb28181: { deviceId: '37020000001320000001', channelId: '37020000001320000001' }
    berths:
      - { id: b101, number: '101', kind: parallel, polygon: [[100,100],[200,100],[200,200],[100,200]], lengthM: 6, widthM: 2.5, drivingDirection: [0, -2] }
`;
  it('reads a site and normalises directions', () => {
    const parsed = parseYaml(site, 'site.yaml', SiteSchema);
    const berth = cameraSite(parsed.cameras[0] as SiteCamera).berths[0];
    expect(berth).toMatchObject({ id: 'b101', roadSection: '香港中路', lotCode: '370200A01', drivingDirection: [0, -1], timeLimitMinutes: null });
  });

  it('names wrong references, doubles and polygons outside the picture', () => {
    expect(() => parseYaml(site.replace('lot: 370200A01', 'lot: X'), 'site.yaml', SiteSchema)).toThrow(/there is no lot "X"/);
    expect(() => parseYaml(site.replaceAll('[200,', '[3900,'), 'site.yaml', SiteSchema)).toThrow(/lies outside the picture/);
    expect(() => parseYaml(site + site.slice(site.indexOf('  - id: cam-1')), 'site.yaml', SiteSchema)).toThrow(/camera cam-1 is given twice/);
    expect(() => parseYaml(site.replace("'37020000001320000001'", "'123'"), 'site.yaml', SiteSchema)).toThrow(/20 decimal digits/);
  });

  const sited = (keys: string): string => site.replace('    lot: 370200A01\n', `    lot: 370200A01\n${keys.replaceAll(/^/gm, '    ')}\n`);
  const camera = (keys: string): SiteCamera => parseYaml(sited(keys), 'site.yaml', SiteSchema).cameras[0] as SiteCamera;

  it('reads the example of the documentation', () => {
    const example = /```yaml\n(lots:[\s\S]*?)```/.exec(readFileSync(join(program.root, 'docs', 'configuration.md'), 'utf8'))?.[1] ?? '';
    const [only] = parseYaml(example, 'configuration.md', SiteSchema).cameras;
    expect(only?.berths).toHaveLength(1);
    // Every key is shown there.
    expect(Object.keys(only ?? {}).filter((key) => !example.includes(`${key}:`))).toEqual([]);
  });

  it('gives an old file the keys it does not know: main stream, always analysed, enabled', () => {
    const old = parseYaml(site, 'site.yaml', SiteSchema).cameras[0];
    expect(old).toMatchObject({ kind: 'high-position', enabled: true, streams: { record: 'main', analyse: 'main' }, analysis: { windows: [] }, mountingHeightM: null, location: null, manufacturer: null, model: null, notes: null });
  });

  it('reads what it wrote', () => {
    const parsed = parseYaml(sited('streams: { record: sub }\nanalysis: { windows: [{ from: 07:30, to: 21:30 }] }\nmountingHeightM: 6.5\nlocation: { longitude: 120.38, latitude: 36.06 }'), 'site.yaml', SiteSchema);
    expect(parsed.cameras[0]).toMatchObject({ streams: { record: 'sub', analyse: 'sub' }, mountingHeightM: 6.5 });
    expect(SiteSchema.parse(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
  });

  it('refuses to analyse a stream that is not recorded, and heights that nobody can mean', () => {
    expect(() => camera('streams: { record: main, analyse: sub }')).toThrow(/must be recorded/);
    expect(camera('streams: { record: both, analyse: sub }').streams).toEqual({ record: 'both', analyse: 'sub' });
    expect(() => camera('mountingHeightM: 650')).toThrow(/2 to 30 m above the road, not 650 m/);
    expect(() => camera('kind: video-pile\nmountingHeightM: 6.5')).toThrow(/video pile hangs 0\.1 to 3 m/);
    expect(() => camera('location: { longitude: 120.38 }')).toThrow(/latitude/);
    expect(() => camera('location: { longitude: 36.06, latitude: 120.38 }')).toThrow(/latitude/);
  });

  it('wants the address of an RTSP sub stream that is used', () => {
    const rtsp = (streams: string): string => site.replace(/    gb28181: .*/, `    rtsp: { url: 'rtsp://192.0.2.5/main' }\n    streams: ${streams}`);
    expect(() => parseYaml(rtsp('{ record: both }'), 'site.yaml', SiteSchema)).toThrow(/rtsp\.subUrl: must be given/);
    expect(parseYaml(rtsp('{}'), 'site.yaml', SiteSchema).cameras[0]?.rtsp?.subUrl).toBeNull();
  });

  it('knows what concerns a stream: a note does not, switching off does', () => {
    expect(intakeKey(camera('notes: x'))).toBe(intakeKey(camera('notes: y')));
    expect(intakeKey(camera('enabled: false'))).not.toBe(intakeKey(camera('enabled: true')));
  });
});
