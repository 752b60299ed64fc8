import { stripVTControlCharacters } from "node:util";

/** Controls (C0, DEL, C1), and what turns the direction in which a line reads. */
const steering = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Text from outside that steers no terminal and hides nothing from its reader: escape sequences, control
 * characters and changes of direction are gone. Line feeds and tabs stay.
 */
export const harmless = (text: string): string =>
  stripVTControlCharacters(text).replaceAll(steering, (character) =>
    /[\t\n]/.test(character) ? character : "",
  );
