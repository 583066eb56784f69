import { Counter, type Registry } from '@sallyport/shared/runtime';

export function activityMetrics(registry: Registry): {
  onSent: (count: number) => void;
  onDropped: (count: number) => void;
} {
  const events = new Counter({
    name: 'extauthz_activity_events_total',
    help: 'Reports that a session is in use, by what became of them',
    labelNames: ['outcome'],
    registers: [registry],
  });
  return {
    onSent: (count) => events.inc({ outcome: 'sent' }, count),
    onDropped: (count) => events.inc({ outcome: 'dropped' }, count),
  };
}
