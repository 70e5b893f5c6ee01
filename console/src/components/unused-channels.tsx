import { useState } from 'react';
import { useTexts } from './language.js';

export interface UnusedChannel {
  deviceId: string;
  channelId: string;
  name: string;
  manufacturer: string | null;
  model: string | null;
  deviceOnline: boolean;
  channelOnline: boolean | null;
  longitude: number | null;
  latitude: number | null;
}

/** Channels that wait to become cameras, to be copied into a sheet. */
export function UnusedChannels({ channels }: { channels: UnusedChannel[] }) {
  const { t } = useTexts();
  const [copied, setCopied] = useState(false);
  const online = (channel: UnusedChannel): boolean => channel.deviceOnline && channel.channelOnline !== false;
  const copy = async (): Promise<void> => {
    const rows = channels.map((c) => [c.deviceId, c.channelId, c.name, c.manufacturer ?? '', c.model ?? '', c.longitude ?? '', c.latitude ?? ''].map((cell) => String(cell).replace(/[\t\r\n]/g, ' ')));
    await navigator.clipboard.writeText([['国标设备编号', '国标通道编号', '相机名称', '厂商', '型号', '经度', '纬度'], ...rows].map((row) => row.join('\t')).join('\n'));
    setCopied(true);
  };
  return (
    <section className="panel">
      <h3>
        {t('unusedChannels')}
        {channels.length > 0 && navigator.clipboard && (
          <button type="button" onClick={() => void copy().catch(() => undefined)}>
            {copied ? t('copied') : t('copy')}
          </button>
        )}
      </h3>
      {channels.length === 0 && <p className="empty">{t('unusedNone')}</p>}
      {channels.length > 0 && (
        <div className="sheet">
          <table>
            <thead>
              <tr>
                <th>{t('gbChannel')}</th>
                <th>{t('name')}</th>
                <th>{t('make')}</th>
                <th>{t('stream.streaming')}</th>
              </tr>
            </thead>
            <tbody>
              {channels.map((channel) => (
                <tr key={`${channel.deviceId}/${channel.channelId}`}>
                  <td>
                    <code>
                      {channel.deviceId} / {channel.channelId}
                    </code>
                  </td>
                  <td>{channel.name}</td>
                  <td>{[channel.manufacturer, channel.model].filter((part) => part !== null).join(' ')}</td>
                  <td>{online(channel) ? t('yes') : t('no')}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
