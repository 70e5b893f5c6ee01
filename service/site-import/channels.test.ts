import { describe, expect, it } from 'vitest';
import type { DeviceStatus } from '../../ingest/gb28181/device.js';
import type { Site } from '../config/site.js';
import { unusedChannels } from './channels.js';
import { readSiteHere } from './read-here.js';
import { channelsXlsx } from './write-files.js';

const NVR = '37020200001180000001';
const ALONE = '37020200001320000007';
const id = (type: string, n: number): string => `3702020000${type}000000${n}`;
const item = (channelId: string, name: string): object => ({ id: channelId, name, manufacturer: 'ACME', model: 'X', online: true, longitude: 120.5, latitude: 36.5, parentIds: [], parental: false, ptzType: null, civilCode: null, address: null });
const device = (deviceId: string, channels: object[]): DeviceStatus => ({ id: deviceId, online: true, channels, info: { name: '单机', manufacturer: 'B', model: 'C', firmware: null, channels: 1 } }) as unknown as DeviceStatus;
const site = (...used: [string, string][]): Site => ({ lots: [], cameras: used.map(([deviceId, channelId]) => ({ gb28181: { deviceId, channelId } })) }) as unknown as Site;

describe('unusedChannels', () => {
  const devices = [device(NVR, [item(id('131', 2), '二'), item(id('131', 1), '一'), item(id('134', 1), '报警输入'), item('3702', '目录')]), device(ALONE, [])];

  it('lists cameras that no one uses, in order, without alarm inputs and folders; a single camera by its own id', () => {
    expect(unusedChannels(devices, site()).map(({ channelId, name }) => [channelId, name])).toEqual([[id('131', 1), '一'], [id('131', 2), '二'], [ALONE, '单机']]);
    expect(unusedChannels(devices, site([NVR, id('131', 1)], [ALONE, ALONE])).map(({ channelId }) => channelId)).toEqual([id('131', 2)]);
    // The same channel id behind another device is another channel.
    expect(unusedChannels(devices, site([ALONE, id('131', 1)]))).toHaveLength(3);
  });

  it('makes a sheet in which only what nobody can know is missing', async () => {
    const { site: none, problems } = await readSiteHere(await channelsXlsx(unusedChannels(devices, site())), 'channels.xlsx', { lots: [], cameras: [] });
    expect(none).toBeNull();
    expect(problems.list.filter((problem) => /国标|经度|纬度|厂商|型号|相机编号/.test(problem.column ?? '') && !problem.zh.includes('没有泊位'))).toEqual([]);
    expect(problems.list.filter((problem) => problem.column === '路段')).toHaveLength(3);
  });
});
