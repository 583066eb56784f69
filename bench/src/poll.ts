const interval = 5;

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

/** Asks until it holds; false when `patience` ms have passed first. */
export async function holdsWithin(
  patience: number,
  holds: () => Promise<boolean> | boolean,
): Promise<boolean> {
  const deadline = performance.now() + patience;
  while (!(await holds())) {
    if (performance.now() > deadline) return false;
    await pause(interval);
  }
  return true;
}
