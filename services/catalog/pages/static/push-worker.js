// Shows what is pushed, also while no page is open. It touches no request of any page.
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("push", (event) => {
  const { title, body, path, tag } = event.data.json();
  // What has the same tag is replaced, quietly: it is the same matter.
  event.waitUntil(registration.showNotification(title, { body, tag, data: { path }, icon: "/favicon.ico" }));
});

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(new URL(event.notification.data.path, location.origin)));
});

async function open(address) {
  if (address.origin !== location.origin) return;
  const pages = await clients.matchAll({ type: "window" });
  const page = pages.find((each) => each.url === address.href);
  if (page) await page.focus();
  else await clients.openWindow(address.href);
}
