import { createContext, useContext } from 'react';
import { text, wordFor, type Language, type TextKey } from '../texts.js';

export const LanguageContext = createContext<Language>('zh');

/** The page's language with its texts: `t` for fixed keys, `word` for keys made from data. */
export function useTexts(): { language: Language; t: (key: TextKey) => string; word: (key: string) => string } {
  const language = useContext(LanguageContext);
  return { language, t: (key) => text(language, key), word: (key) => wordFor(language, key) };
}
