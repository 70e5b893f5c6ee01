import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, readFileSync } from 'node:fs';
import { haveTool } from '../../base/test-tools.js';
import { until } from './platform.js';

/** Whether what goes over loopback can be captured and dissected here: with tshark, and the rights of root or of dumpcap's capabilities. */
export async function canCapture(): Promise<boolean> {
  if (!haveTool('tshark') || !haveTool('dumpcap')) return false;
  return new Promise((resolve) => {
    const child = spawn('dumpcap', ['-i', 'lo', '-c', '1', '-a', 'duration:1', '-q', '-w', '/dev/null'], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('error', () => resolve(false));
    child.once('close', () => {
      const denied = /permission|not permitted|no interfaces|privilege/i.test(said);
      if (denied) process.stderr.write(`skipping the dissection of a capture: dumpcap may not listen on lo (${said.trim().split('\n')[0] ?? ''})\n`);
      resolve(!denied);
    });
  });
}

/** An own loopback address tells our packets from others'. */
export const captureHost = (): string => `127.77.${1 + Math.floor(Math.random() * 250)}.1`;

/** What was said to and from one loopback address, and what Wireshark's dissectors say of it. */
export class Capture {
  readonly #host: string;
  readonly #file: string;
  #dumpcap: ChildProcess | null = null;
  /** What a port speaks where the dissectors cannot know it from SDP: `-d` arguments of tshark. */
  readonly #decodeAs = ['-d', 'media_type==application/manscdp+xml,xml'];

  constructor(host: string, file: string) {
    this.#host = host;
    this.#file = file;
  }

  async start(): Promise<void> {
    this.#dumpcap = spawn('dumpcap', ['-i', 'lo', '-q', '-B', '64', '-f', `host ${this.#host}`, '-w', this.#file], { stdio: ['ignore', 'ignore', 'pipe'] });
    // It says that it captures before it does: packets of our own are sent until one is in the file.
    const mark = 'is anybody listening?';
    const socket = createSocket('udp4');
    try {
      await until('dumpcap captures', () => {
        socket.send(mark, 9, this.#host);
        return existsSync(this.#file) && readFileSync(this.#file).includes(mark);
      });
    } finally {
      socket.close();
    }
  }

  async stop(): Promise<void> {
    const child = this.#dumpcap;
    this.#dumpcap = null;
    if (child === null) return;
    await new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.kill('SIGINT');
    });
  }

  sip({ udpPort, tcpPort }: { udpPort: number; tcpPort: number }): void {
    this.#decodeAs.push('-d', `udp.port==${udpPort},sip`, '-d', `tcp.port==${tcpPort},sip`);
  }

  /** RTP; over UDP with its RTCP on the next port. */
  media(transport: 'udp' | 'tcp', port: number): void {
    this.#decodeAs.push('-d', `${transport}.port==${port},rtp`);
    if (transport === 'udp') this.#decodeAs.push('-d', `udp.port==${port + 1},rtcp`);
  }

  /** Lines that tshark prints. */
  dissect(...args: string[]): Promise<string[]> {
    return new Promise((resolve, reject) => {
      execFile('tshark', ['-r', this.#file, '-2', '-n', ...this.#decodeAs, ...args], { maxBuffer: 256 << 20 }, (error, stdout, stderr) => {
        if (error) reject(new Error(`${error.message}\n${stderr}`));
        else resolve(stdout.split('\n').filter((line) => line !== ''));
      });
    });
  }

  /** Every value that fields have in the packets of a filter. */
  async values(filter: string, ...fields: string[]): Promise<Set<string>> {
    return new Set((await this.dissect('-Y', filter, '-T', 'fields', ...fields.flatMap((field) => ['-e', field]))).flatMap((line) => line.split(/[,\t]/)));
  }

  /** What is malformed, or called an error by an expert. */
  faults(): Promise<string[]> {
    return this.dissect('-Y', '_ws.malformed || _ws.expert.severity == "Error"', '-T', 'fields', '-e', 'frame.number', '-e', '_ws.col.Protocol', '-e', '_ws.expert.message', '-e', '_ws.malformed');
  }
}
