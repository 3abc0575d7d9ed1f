'use client';
/* pgherald/react: the hook, the notification centre and its languages. */
export { useNotifications, type Notifications, type NotificationsOptions } from './useNotifications.js';
export { NotificationCenter, type NotificationCenterProps } from './NotificationCenter.js';
export type { Slots } from './Panel.js';
export type { Labels } from './labels/labels.js';
export { english } from './labels/english.js';
export { german } from './labels/german.js';
export { arabic } from './labels/arabic.js';
