/**
 * How a room starts one of its own modules as a child process: the compiled `.js` beside the caller, or, where the caller
 * itself runs from source (unit tests), the `.ts` with a loader that strips its types.
 *
 * @param callerUrl `import.meta.url` of the module that forks
 * @param name the child's module without extension, relative to the caller: `./main`
 */
export function childEntry(callerUrl: string, name: string): { file: URL; execArgv: string[] } {
  if (!callerUrl.endsWith('.ts')) return { file: new URL(`${name}.js`, callerUrl), execArgv: [] };
  return { file: new URL(`${name}.ts`, callerUrl), execArgv: ['--import', new URL('../scripts/ts-loader.mjs', import.meta.url).href] };
}
