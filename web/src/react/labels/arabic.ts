import type { Labels } from './labels.js';

/** Arabic has six plural forms; three of them need words of their own here. */
const rules = new Intl.PluralRules('ar');
const forms: Partial<Record<Intl.LDMLPluralRule, string>> = { one: 'إشعار واحد', two: 'إشعاران', few: '# إشعارات' };
const counted = (count: number) => (forms[rules.select(count)] ?? '# إشعارًا').replace('#', String(count));

export const arabic: Labels = {
  locale: 'ar',
  title: 'الإشعارات',
  bell: (unread) => (unread ? `الإشعارات، غير مقروء: ${counted(unread)}` : 'الإشعارات'),
  close: 'إغلاق',
  markRead: 'تعليم كمقروء',
  markAllRead: 'تعليم الكل كمقروء',
  loadMore: 'تحميل المزيد',
  loading: 'جارٍ التحميل…',
  emptyText: 'لا جديد لديك',
  offlineText: 'أنت غير متصل. ستصل الإشعارات الجديدة عند عودة الاتصال.',
  errorText: 'لم ينجح ذلك.',
  retry: 'إعادة المحاولة',
  unread: 'غير مقروء:',
  states: {
    OPEN: 'متصل', CONNECTING: 'جارٍ الاتصال', RECONNECTING: 'جارٍ إعادة الاتصال', CLOSING: 'جارٍ الإغلاق', CLOSED: 'غير متصل', FAILED: 'انقطع الاتصال',
  },
  severities: { info: 'معلومة', success: 'نجاح', warning: 'تحذير', error: 'خطأ' },
  arrived: (count, title) => (count === 1 ? `إشعار جديد: ${title}` : `وصل ${counted(count)}`),
  desktop: 'إظهارها على سطح المكتب أيضًا',
  debug: 'تفاصيل الاتصال',
  exportLog: 'حفظ السجل',
};
