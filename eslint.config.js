import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const noProcessEnv = {
  selector: "MemberExpression[object.name='process'][property.name='env']",
  message: 'Read the environment in config.ts only and pass the value on.',
};
const noDateNow = {
  selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
  message: 'Take a Clock (shared/src/clock.ts) so that tests can move the time.',
};
const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Named exports only: a reader finds a thing by its one name.',
};

export default defineConfig(
  { ignores: ['**/dist/', '**/node_modules/', 'coverage/', '.run/', 'bench/out/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['{shared,extauthz,session-gateway}/src/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', noProcessEnv, noDateNow, noDefaultExport] },
  },
  {
    files: ['**/src/config.ts', 'shared/src/runtime/env.ts'],
    rules: { 'no-restricted-syntax': ['error', noDateNow, noDefaultExport] },
  },
  {
    files: ['shared/src/clock.ts'],
    rules: { 'no-restricted-syntax': ['error', noProcessEnv, noDefaultExport] },
  },
  { files: ['demo/src/**/*.ts', 'bench/**', 'test/**'], rules: { 'no-console': 'off' } },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        document: 'readonly',
        fetch: 'readonly',
        performance: 'readonly',
        Buffer: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
      },
    },
  },
);
