/** What can be subscribed to (GB/T 28181-2016 9.11). */
export const SUBSCRIPTION_KINDS = ['Catalog', 'Alarm', 'MobilePosition'] as const;
export type SubscriptionKind = (typeof SUBSCRIPTION_KINDS)[number];
