import { CameraPage } from './camera.js';
import { CamerasPage } from './cameras.js';
import { FootagePage } from './footage.js';
import { HoldsPage } from './holds.js';
import { ImportPage } from './import.js';
import { OverviewPage } from './overview.js';
import type { Page } from './page.js';
import { StoragePage } from './storage.js';

/** All pages, in the order of the navigation. */
export const PAGES: readonly Page[] = [
  { name: '', label: 'overview', render: ({ live }) => <OverviewPage live={live} /> },
  { name: 'cameras', label: 'cameraList', render: ({ live, route }) => (route.path[1] === undefined ? <CamerasPage live={live} /> : <CameraPage key={route.path[1]} id={route.path[1]} live={live} />) },
  { name: 'footage', label: 'footage', render: ({ live, route }) => <FootagePage live={live} route={route} /> },
  { name: 'holds', label: 'holds', render: ({ live, route }) => <HoldsPage key={route.query.toString()} live={live} route={route} /> },
  { name: 'storage', label: 'storage', render: ({ live }) => <StoragePage live={live} /> },
  { name: 'import', label: 'importSite', render: () => <ImportPage /> },
];
