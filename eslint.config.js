import boundaries from 'eslint-plugin-boundaries';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import { importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** Rooms in the order of the one-way arrows: each may import itself, `base`, and rooms to its left. */
const ROOMS = ['ingest', 'storage', 'vision', 'parking', 'evidence', 'platform'];

const element = (type, pattern = `${type}/**`) => ({ type, pattern, partialMatch: false });
const allow = (from, to) => ({ from: { element: { type: from } }, allow: { to: { element: { type: to } } } });
const policies = [
  allow('base', ['base']),
  ...ROOMS.map((room, i) => allow(room, ['base', ...ROOMS.slice(0, i + 1)])),
  allow('models', ['base', 'vision', 'models']),
  allow('service', ['base', ...ROOMS, 'service']),
  allow('console', ['console']),
  allow('simulators', ['simulators']),
  allow('test', ['base', ...ROOMS, 'models', 'service', 'simulators', 'test']),
];

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'console/dist/**', '**/.venv/**', '.cache/**'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    plugins: { boundaries, 'import-x': importX },
    settings: {
      'import-x/resolver-next': [createTypeScriptImportResolver()],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts', '.tsx'] },
      'import/resolver': { typescript: true },
      'boundaries/include': ['**/*.ts', '**/*.tsx'],
      'boundaries/elements': [
        element('base'),
        ...ROOMS.map((room) => element(room)),
        element('models'),
        element('service'),
        element('console'),
        element('simulators', 'test/simulators/**'),
        element('test'),
      ],
    },
    rules: {
      'boundaries/dependencies': ['error', { default: 'disallow', policies }],
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'max-lines': ['error', { max: 600 }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': ['error'],
      'no-restricted-syntax': [
        'error',
        {
          selector: "MemberExpression[object.name='AbortSignal'][property.name='any']",
          message: 'Node 20 collects a signal that only AbortSignal.any holds (such as AbortSignal.timeout), and what waits for it then waits for ever: abort one AbortController from listeners, as platform/qingdao/adapter.ts does.',
        },
      ],
    },
  },
  {
    // parking/ is pure: no IO, no clock, nothing from Node.
    files: ['parking/**/*.ts'],
    ignores: ['parking/**/*.test.ts'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ group: ['node:*'], message: 'parking/ is pure: no IO' }] }],
      'no-restricted-globals': ['error', 'Date', 'setTimeout', 'setInterval', 'process', 'fetch'],
    },
  },
  {
    // Programs talk to people on standard output.
    files: ['service/cli/**/*.ts', 'test/**/*.ts', 'scripts/**'],
    rules: { 'no-console': 'off' },
  },
);
