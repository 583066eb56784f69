import { availableParallelism } from 'node:os';

/**
 * One jest project per kind of test. ESM throughout: run through `npm run jest`, which passes
 * --experimental-vm-modules (jest 30 on Node 20 cannot require() ESM packages).
 */
/** @param {string} name */
const project = (name) => ({
  displayName: name,
  rootDir: import.meta.dirname,
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  testEnvironment: 'node',
  setupFilesAfterEnv: ['<rootDir>/test/support/each-test.ts'],
  // Workspaces are read from their sources: no build is needed before a unit test.
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': ['$1.ts', '$1.js'] },
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/', '<rootDir>/.run/'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
});

/** @type {import('jest').Config} */
export default {
  projects: ['unit', 'contract', 'integration', 'e2e'].map(project),
  // Read from the root only: jest ignores it inside a project.
  testTimeout: 60_000,
  // Most suites wait for processes of their own: even two cores have room for two of them.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  coverageProvider: 'v8',
  collectCoverageFrom: ['{shared,extauthz,session-gateway}/src/**/*.ts'],
  reporters: ['default', '<rootDir>/test/support/suite-times.js'],
};
