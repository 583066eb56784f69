import { systemClock } from '@sallyport/shared';
import { ConfigError } from '@sallyport/shared/runtime';
import { loadConfig, type Config } from '../config.js';
import { idpFindings, permissionServiceFinding } from './doctor-neighbours.js';
import { redisFindings } from './doctor-redis.js';
import { failed, ok, warning, type Finding } from './finding.js';
import { columns, say, sayJson, terminalLogger } from './terminal.js';

/**
 * Looks at everything the gateway needs, each whatever the others say, and changes nothing.
 * @returns the exit code: 1 if anything failed
 */
export async function doctor(json: boolean): Promise<number> {
  const clock = systemClock;
  const { config, findings: about } = settings();
  // Everything is said by the findings.
  const logger = terminalLogger('silent');
  const others =
    config === undefined
      ? []
      : await Promise.all([
          redisFindings(config, logger, clock),
          idpFindings(config),
          permissionServiceFinding(config).then((one) => [one]),
        ]);
  const findings = [...about, ...others.flat()];
  const isWell = findings.every(({ state }) => state !== 'failed');
  if (json) sayJson({ time: new Date(clock()).toISOString(), ok: isWell, findings });
  else say(columns(findings.map(line)));
  return isWell ? 0 : 1;
}

function settings(): { config?: Config; findings: Finding[] } {
  try {
    const { config, warnings } = loadConfig();
    return {
      config,
      findings: [
        ok('configuration', 'good'),
        ...warnings.map((what) => warning('configuration', what, '')),
        ringOf(config),
      ],
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const findings = error.problems.map((what) => failed('configuration', what, ''));
    return { findings: [...findings, unseen] };
  }
}

const unseen: Finding = {
  about: 'all else',
  state: 'unknown',
  what: 'nothing more can be looked at before the settings are good',
};

function ringOf({ sealKeys }: Config): Finding {
  const [first, ...others] = sealKeys.map(({ kid }) => kid);
  const rest = others.length === 0 ? '' : `; to open: ${others.join(', ')}`;
  return ok('seal keys', `${first ?? 'none'} seals${rest}`);
}

function line({ state, about, what, todo = '' }: Finding): string[] {
  const end = todo === '' || /[.?]$/.test(what) ? '' : '.';
  return [state, about, `${what}${end} ${todo}`];
}
