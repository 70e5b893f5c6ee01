import { existsSync } from 'node:fs';
import fastifyStatic from '@fastify/static';
import swagger from '@fastify/swagger';
import Fastify, { type FastifyInstance } from 'fastify';
import { jsonSchemaTransform, serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { BerthwatchError, messageOf, type ErrorKind } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { guard } from './access.js';
import { addRoutes, type ApiSources } from './routes.js';
import { addSiteRoutes } from './site-routes.js';
import { addEventStream } from './event-stream.js';

const STATUS: Record<ErrorKind, number> = { 'bad-input': 400, 'not-found': 404, conflict: 409, unavailable: 503, unauthorised: 401, internal: 500 };

export interface ApiOptions {
  host: string;
  port: number;
  token: string | null;
  /** Built console (index.html and assets); absent folders serve no page. */
  consoleFolder: string;
  version: string;
  logger: Logger;
}

/** Builds the HTTP application without listening; `listen` it at `host` and `port`. */
export async function createApi(options: ApiOptions, sources: ApiSources): Promise<FastifyInstance> {
  const app = Fastify({ logger: false, bodyLimit: 8 * 1024 * 1024, forceCloseConnections: true, routerOptions: { maxParamLength: 1_000 } });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(async (error, request, reply) => {
    const status = error instanceof BerthwatchError ? STATUS[error.kind] : ((error as { statusCode?: number }).statusCode ?? 500);
    if (status >= 500) options.logger.error({ url: request.url, error: messageOf(error) }, 'a request failed');
    const code = error instanceof BerthwatchError ? error.code : status < 500 ? 'HTTP_REQUEST' : 'HTTP_INTERNAL';
    await reply.code(status).send({ error: code, message: status < 500 || error instanceof BerthwatchError ? messageOf(error) : 'internal error; see the log' });
  });
  app.addHook('onSend', async (_request, reply) => {
    void reply.header('x-content-type-options', 'nosniff').header('referrer-policy', 'no-referrer').header('content-security-policy', "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'");
  });
  await app.register(swagger, { openapi: { info: { title: 'berthwatch', version: options.version } }, transform: jsonSchemaTransform });
  guard(app, { ...options, ticket: (ticket) => sources.footage !== undefined && sources.footage.tickets.read(ticket) !== null });
  await app.register(async (scope) => {
    addRoutes(scope.withTypeProvider<ZodTypeProvider>(), sources, options.version);
    addEventStream(scope, sources.feed);
    addSiteRoutes(scope, sources);
  });
  if (existsSync(options.consoleFolder)) {
    await app.register(fastifyStatic, { root: options.consoleFolder, index: 'index.html' });
  }
  return app;
}
