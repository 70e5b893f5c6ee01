import { OverviewPage } from './overview.js';
import type { Page } from './page.js';

/** All pages, in the order of the navigation. */
export const PAGES: readonly Page[] = [{ name: '', label: 'overview', render: ({ live }) => <OverviewPage live={live} /> }];
