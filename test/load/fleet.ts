/**
 * The devices of a load run, in a process of their own: `node fleet.js '<JSON of FleetOptions>'`. Ends when its channel to the
 * parent closes.
 */
import { CameraSimulator } from '../simulators/camera/camera.js';
import { LightDevice, type LightDeviceStats } from '../simulators/camera/light-device.js';
import { channelId, deviceId, PASSWORD, type FleetOptions, type FromFleet, type ToFleet } from './protocol.js';

const options = JSON.parse(process.argv[2] ?? '') as FleetOptions;
const { server, keepaliveMs } = options;
const tell = (message: FromFleet): void => void process.send?.(message);
const range = ([from, to]: [number, number]): number[] => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

const light = range(options.light).map((n) => new LightDevice({ id: deviceId(n), password: PASSWORD, server, keepaliveMs }));
const cameras = range(options.cameras).map(
  (n) =>
    new CameraSimulator({
      server,
      device: { id: deviceId(n), password: PASSWORD },
      channels: [{ id: channelId(n), clip: options.clip }],
      registration: { keepaliveMs, backoffMinMs: 500, backoffMaxMs: 2000 },
    }),
);
let crowds = 0;

async function registerAll(spreadMs: number): Promise<void> {
  const again = crowds++ > 0;
  // Cameras are part of the crowd; the times are those of the light devices, which measure them.
  for (const [i, camera] of cameras.entries()) {
    setTimeout(() => (again ? camera.registerAgain() : void camera.start()), (spreadMs * i) / cameras.length);
  }
  const latencies: number[] = [];
  let failed = 0;
  await Promise.all(
    light.map(async (device, i) => {
      if (spreadMs > 0) await new Promise((resolve) => setTimeout(resolve, (spreadMs * i) / light.length));
      const took = await device.register();
      if (took === null) failed += 1;
      else latencies.push(took);
      // Keepalives of a crowd that came at once spread over the interval in the field; here by their order.
      device.keepAlive((keepaliveMs * i) / light.length);
    }),
  );
  tell({ type: 'registered', latencies, failed });
}

process.on('message', (message: ToFleet) => {
  if (message.type === 'register') void registerAll(message.spreadMs);
  else {
    const stats = light.reduce<LightDeviceStats>(
      (sum, device) => Object.fromEntries(Object.entries(device.stats).map(([key, value]) => [key, value + sum[key as keyof LightDeviceStats]])) as unknown as LightDeviceStats,
      { keepalivesSent: 0, keepalivesAnswered: 0, keepalivesRefused: 0, keepalivesLost: 0, retransmissions: 0, registrations: 0, registrationsFailed: 0 },
    );
    tell({ type: 'report', stats, cameraKeepalivesMissed: cameras.reduce((sum, camera) => sum + camera.log.events('keepalive-missed').length, 0) });
  }
});
process.on('disconnect', () => process.exit(0));

for (const device of light) await device.open();
tell({ type: 'open' });
