// Lets a child process of a unit test run TypeScript sources: `node --import ./scripts/ts-loader.mjs file.ts`.
// Development only; the shipped program is compiled by tsc.
import { register } from 'node:module';

register('./ts-hooks.mjs', import.meta.url);
