// Module hooks of ts-loader.mjs: `./x.js` finds `./x.ts`, and types are stripped by the compiler's own transpiler, whose
// results are kept: loading the compiler takes longer than the tests.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(new URL('../node_modules/.cache/berthwatch-ts/', import.meta.url));

export async function resolve(specifier, context, next) {
  if (/^\.{1,2}\/.*\.js$/.test(specifier) && context.parentURL?.endsWith('.ts')) {
    const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(source)) return { url: source.href, format: 'module', shortCircuit: true };
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
  const fileName = fileURLToPath(url);
  const text = await readFile(fileName, 'utf8');
  const kept = `${cache}${createHash('sha256').update(`1\0${fileName}\0${text}`).digest('hex')}.js`;
  let source = await readFile(kept, 'utf8').catch(() => null);
  if (source === null) {
    const { default: ts } = await import('typescript');
    source = ts.transpileModule(text, {
      fileName,
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true, inlineSourceMap: true },
    }).outputText;
    await mkdir(cache, { recursive: true });
    // Tests run side by side: nobody may read half a file.
    await writeFile(`${kept}.${process.pid}`, source);
    await rename(`${kept}.${process.pid}`, kept);
  }
  return { format: 'module', source, shortCircuit: true };
}
