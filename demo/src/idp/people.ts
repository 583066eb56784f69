/** A person of the demo. The passwords are printed by the banner: they protect nothing. */
export interface Person {
  readonly sub: string;
  readonly password: string;
  readonly name: string;
  readonly email: string;
  /** What the permission service gives them at first. */
  readonly role: 'ADMIN' | 'MANAGER' | 'USER';
}

export const people: readonly [Person, ...Person[]] = [
  {
    sub: 'ada',
    password: 'analytical',
    name: 'Ada Lovelace',
    email: 'ada@example.com',
    role: 'ADMIN',
  },
  {
    sub: 'grace',
    password: 'compiler',
    name: 'Grace Hopper',
    email: 'grace@example.com',
    role: 'MANAGER',
  },
  {
    sub: 'linus',
    password: 'penguin',
    name: 'Linus Pauling',
    email: 'linus@example.com',
    role: 'USER',
  },
];

export function findPerson(sub: string): Person | undefined {
  return people.find((person) => person.sub === sub);
}
