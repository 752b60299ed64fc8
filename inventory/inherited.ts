/**
 * Whether every plain object answers to a name, as to `constructor`, `toString` or `__proto__`. In a map such
 * a name would be found where it is not, or change the map.
 */
export const isInherited = (name: string): boolean => name in Object.prototype;

export const inheritedText = "is a word that programs keep for themselves; choose another name";
