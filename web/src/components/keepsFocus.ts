/**
 * Keeps the keyboard's place where buttons come and go: when the focused one disappears by being used, the focus goes
 * to what is marked `data-keeps-focus` beside it instead of to nowhere. An attachment for Svelte.
 */
export function keepsFocus(node: HTMLElement): () => void {
  let last: Element | null = null;
  const entered = (event: FocusEvent) => {
    last = event.target as Element;
  };
  const left = (event: Event) => {
    if (event.target instanceof Node && !node.contains(event.target)) last = null;
  };
  const observer = new MutationObserver(() => {
    if (!last || last.isConnected || document.activeElement !== document.body) return;
    last = null;
    node.querySelector<HTMLElement>('[data-keeps-focus]')?.focus();
  });
  node.addEventListener('focusin', entered);
  document.addEventListener('focusin', left);
  document.addEventListener('pointerdown', left);
  observer.observe(node, { childList: true, subtree: true });
  return () => {
    observer.disconnect();
    document.removeEventListener('focusin', left);
    document.removeEventListener('pointerdown', left);
  };
}
