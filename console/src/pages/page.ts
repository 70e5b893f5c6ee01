import type { ReactNode } from 'react';
import type { Route } from '../router.js';
import type { TextKey } from '../texts.js';
import type { Live } from '../use-live.js';

export interface PageProps {
  live: Live;
  route: Route;
}

/** One page of the console. Its name is the first part of the address; '' is the first page. */
export interface Page {
  name: string;
  /** Its word in the navigation; null for a page that only links lead to. */
  label: TextKey | null;
  render: (props: PageProps) => ReactNode;
}
