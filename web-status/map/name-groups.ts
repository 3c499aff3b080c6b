/** Two of a kind are better told apart. */
const LEAST = 3;
const BOUNDARY = /[._-]+|(?<=[\p{Ll}\d])(?=\p{Lu})/gu;

/**
 * Stop → the group it belongs to, which is what their names begin with, up to a `.`, `-`, `_` or a capital letter. A group
 * of more than `atMost` is split by what comes next in their names, where that helps. Stops in no group are left out.
 */
export function groupsByName(stops: readonly string[], atMost: number): ReadonlyMap<string, string> {
  return new Map(split(stops, 0, atMost).flatMap(([group, members]) => members.map((stop) => [stop, group] as const)));
}

type Groups = readonly (readonly [group: string, members: readonly string[]])[];

function split(stops: readonly string[], depth: number, atMost: number): Groups {
  const groups = [...Map.groupBy(stops, (stop) => beginning(stop, depth))].filter(([, { length }]) => length >= LEAST);
  return groups.flatMap(([name, members]) => {
    if (members.length <= atMost) return [[name, members] as const];
    const parts = deeper(name, members, depth, atMost);
    const isAll = members.length === stops.length;
    return parts.length > 0 || isAll ? parts : [[name, members] as const];
  });
}

/** What is in none of the parts stays together, under the name that all share. */
function deeper(name: string, members: readonly string[], depth: number, atMost: number): Groups {
  const isLonger = members.some((stop) => beginning(stop, depth + 1) !== name);
  const parts = isLonger ? split(members, depth + 1, atMost) : [];
  const inParts = new Set(parts.flatMap(([, of]) => of));
  const rest = members.filter((stop) => !inParts.has(stop));
  return parts.length > 0 && rest.length >= LEAST ? [...parts, [name, rest]] : parts;
}

/** Of a name the part before its boundary number `depth`; a name with fewer is its own beginning. */
function beginning(stop: string, depth: number): string {
  const boundary = [...stop.matchAll(BOUNDARY)].filter(({ index }) => index > 0)[depth];
  return boundary ? stop.slice(0, boundary.index) : stop;
}
