import { readFileSync } from 'node:fs';
import { z } from 'zod';

const pem = z.string().includes('-----BEGIN', { message: 'must be PEM text' });

export const qingdaoConfigSchema = z.strictObject({
  host: z.string().default('127.0.0.1'),
  /** 0 takes a free port; it is told when the server listens. */
  port: z.number().int().min(0).max(65535).default(0),
  adminPort: z.number().int().min(0).max(65535).default(0),
  /** Systems that may upload, with their public keys (PEM). */
  users: z.array(z.strictObject({ accessId: z.string().min(1), publicKey: pem })).min(1),
  /** The platform's private key, RSA 1024 (PEM). */
  privateKey: pem,
  /** Lots that exist; null takes any. */
  parkingCodes: z.array(z.string()).nullable().default(null),
  /** Does the signature cover the characters of `cipher` or the bytes behind them? */
  signatureCovers: z.enum(['text', 'bytes']).default('text'),
  maxPhotoBytes: z.number().int().min(1).default(512 * 1024),
  /** 500000 follows the table's length column to the letter; null its remark of 512K. */
  maxFileCharacters: z.number().int().min(1).nullable().default(null),
  uidRule: z.enum(['documented', 'any']).default('any'),
  /** resultCode as a number, as the example of A.4.1.5.6 has it, in place of the table's string. */
  numericResultCode: z.boolean().default(false),
  /** What srvTime is off by, ms. */
  clockOffsetMs: z.number().default(0),
  /** JSON file in which the state survives a restart; null keeps it in memory. */
  state: z.string().nullable().default(null),
});

export type QingdaoConfigInput = z.input<typeof qingdaoConfigSchema>;
export type QingdaoConfig = z.output<typeof qingdaoConfigSchema>;

/** Checks and completes; throws an Error that names each wrong key. */
export function parseQingdaoConfig(input: unknown): QingdaoConfig {
  const parsed = qingdaoConfigSchema.safeParse(input);
  if (!parsed.success) throw new Error(`city platform configuration: ${parsed.error.issues.map((issue) => `${issue.path.join('.') || '(root)'}: ${issue.message}`).join('; ')}`);
  return parsed.data;
}

/** A configuration file may name PEM files (`privateKeyFile`, `users[].publicKeyFile`) where the configuration wants text. */
export function withKeyFiles(raw: Record<string, unknown>): Record<string, unknown> {
  const replace = (from: Record<string, unknown>, name: string): Record<string, unknown> => {
    const { [`${name}File`]: path, ...rest } = from;
    return typeof path === 'string' ? { ...rest, [name]: readFileSync(path, 'utf8') } : from;
  };
  const users = Array.isArray(raw['users']) ? raw['users'].map((user) => replace(user as Record<string, unknown>, 'publicKey')) : raw['users'];
  return replace({ ...raw, users }, 'privateKey');
}
