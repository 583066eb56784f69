/** Whether a component can do its work; a thrown or rejected check counts as no. */
export type HealthCheck = () => boolean | Promise<boolean>;

/** One object behind every health answer, so that HTTP and gRPC health can never disagree. */
export class Health {
  readonly #checks = new Map<string, HealthCheck>();
  #draining = false;

  /** Readiness is the AND of all components. Liveness asks none of them: a Redis outage must not restart a pod. */
  add(component: string, check: HealthCheck): void {
    this.#checks.set(component, check);
  }

  /** From now on never ready: the first step of a drain. */
  drain(): void {
    this.#draining = true;
  }

  get draining(): boolean {
    return this.#draining;
  }

  async ready(): Promise<{ ready: boolean; notReady: readonly string[] }> {
    const notReady: string[] = this.#draining ? ['draining'] : [];
    for (const [component, check] of this.#checks) {
      if (!(await holds(check))) notReady.push(component);
    }
    return { ready: notReady.length === 0, notReady };
  }
}

async function holds(check: HealthCheck): Promise<boolean> {
  try {
    return await check();
  } catch {
    return false;
  }
}
