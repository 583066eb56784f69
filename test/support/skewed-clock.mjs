/**
 * Preloaded into a process (`--import`): its wall clock is CLOCK_SKEW_MS off, as on a host whose clock
 * nobody sets. The monotonic clock and timers go on as they are, as they would there.
 */
const skew = Number(process.env['CLOCK_SKEW_MS']);
if (!Number.isFinite(skew)) throw new Error('CLOCK_SKEW_MS must be a number of milliseconds');
const RealDate = Date;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [target.now() + skew] : args, newTarget),
  apply: (target) => new target(target.now() + skew).toString(),
  get: (target, name) =>
    name === 'now' ? () => target.now() + skew : Reflect.get(target, name, target),
});
