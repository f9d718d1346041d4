/** Whether there is a network at all, by the browser's own word; of the server it says nothing. */
export const network = $state({ online: navigator.onLine });

window.addEventListener('online', () => (network.online = true));
window.addEventListener('offline', () => (network.online = false));
