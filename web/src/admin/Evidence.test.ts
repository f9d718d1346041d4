// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { settled } from '../../tests/given';
import { api } from '../account.svelte';
import { Problem } from '../protocol/problem';
import Evidence from './Evidence.svelte';

const at = '/api/admin/evidence/r%2F1';
const sealed = {
  report_id: 'r/1',
  room_id: 'room',
  sealed_at: '2026-05-01T12:05:00.000Z',
  expires_at: '2026-05-31T12:05:00.000Z',
  length_ms: 100_000,
  parts: [{ from_ms: 0, at: '2026-05-01T12:00:00.000Z' }],
  spoke: [
    { handle: 'ada', name: 'Ada', from_ms: 0, to_ms: 25_000 },
    { handle: 'bob', name: 'مريم', from_ms: 25_000, to_ms: 75_000 },
    { handle: 'ada', name: 'Ada', from_ms: 80_000, to_ms: 100_000 },
    { handle: '', name: '', from_ms: 90_000, to_ms: 95_000 },
  ],
};

let revoked: string[];

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
  HTMLMediaElement.prototype.play = vi.fn(async () => undefined);
  revoked = [];
  URL.createObjectURL = vi.fn(() => 'blob:heard');
  URL.revokeObjectURL = vi.fn((url) => void revoked.push(url));
});

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

function serve(about: unknown, hearing: unknown = { url: `${at}/sound?ticket=t` }): [string, unknown][] {
  const asked: [string, unknown][] = [];
  vi.spyOn(api, 'json').mockImplementation(async (method, path, body) => {
    asked.push([`${method} ${path}`, body]);
    const answer = method === 'GET' ? about : hearing;
    if (answer instanceof Error) throw answer;
    return answer as never;
  });
  vi.spyOn(api, 'blob').mockImplementation(async (path) => {
    asked.push([`BLOB ${path}`, undefined]);
    return new Blob(['sound']);
  });
  return asked;
}

async function listen(reason: string) {
  await fireEvent.click(screen.getByTestId('evidence-listen'));
  await settled();
  await fireEvent.input(screen.getByTestId('reason'), { target: { value: reason } });
  await fireEvent.submit(screen.getByTestId('do-it').closest('form') as HTMLFormElement);
  await settled();
}

it('says who spoke when before anything is heard, and asks for no sound', async () => {
  const asked = serve(sealed);
  const { container } = render(Evidence, { report: 'r/1' });
  await settled();
  expect(screen.getByText(/1:40 long/)).toBeTruthy();
  const spoke = [...screen.getByTestId('evidence-spoke').children].map((one) =>
    one.textContent.replace(/\s+/g, ' ').trim(),
  );
  expect(spoke).toEqual(['0:00–0:25 Ada', '0:25–1:15 مريم', '1:20–1:40 Ada', '1:30–1:35 somebody']);
  const spans = [...container.querySelectorAll<HTMLElement>('.span')].map((one) => [
    one.style.left,
    one.style.width,
  ]);
  expect(spans).toEqual([
    ['0%', '25%'],
    ['80%', '20%'],
    ['25%', '50%'],
    ['90%', '5%'],
  ]);
  expect(asked.map(([call]) => call)).toEqual([`GET ${at}`]);
  expect(screen.queryByTestId('evidence-player')).toBeNull();
});

it('says where something later begins', async () => {
  const parts = [...sealed.parts, { from_ms: 79_000, at: '2026-05-01T12:30:00.000Z' }];
  serve({ ...sealed, parts });
  const { container } = render(Evidence, { report: 'r/1' });
  await settled();
  const said = [...screen.getByTestId('evidence-spoke').children].map((one) => one.textContent.trim());
  expect(said).toHaveLength(5);
  expect(said[2]).toMatch(/^Heard from .*30.* on:$/);
  expect(container.querySelectorAll('.cut')).toHaveLength(2 * parts.length - 1);
});

it('is heard for a reason, jumps to who spoke, and forgets the sound', async () => {
  const asked = serve(sealed);
  const { unmount } = render(Evidence, { report: 'r/1' });
  await settled();
  await listen('to judge');
  expect(asked.slice(1)).toEqual([
    [`POST ${at}/listen`, { reason: 'to judge' }],
    [`BLOB ${at}/sound?ticket=t`, undefined],
  ]);
  const player = screen.getByTestId<HTMLAudioElement>('evidence-player');
  expect(player.getAttribute('src')).toBe('blob:heard');
  await fireEvent.click(screen.getByRole('button', { name: /0:25–1:15/ }));
  expect(player.currentTime).toBe(25);
  unmount();
  expect(revoked).toEqual(['blob:heard']);
});

it('says that nothing is there, and what cannot be opened', async () => {
  serve(new Problem(404, 'not_found', ''));
  const { rerender } = render(Evidence, { report: 'r/1' });
  await settled();
  expect(screen.getByTestId('evidence-none')).toBeTruthy();
  serve({ ...sealed, length_ms: null, parts: [], spoke: [] });
  await rerender({ report: 'r/2' });
  await settled();
  expect(screen.getByTestId('evidence-shut')).toBeTruthy();
  expect(screen.queryByTestId('evidence-listen')).toBeNull();
});

it('says why it may not be heard', async () => {
  serve(sealed, new Problem(409, 'key_elsewhere', ''));
  render(Evidence, { report: 'r/1' });
  await settled();
  await listen('to judge');
  expect(screen.getByRole('alert', { hidden: true }).textContent).toContain('not on this machine');
  expect(screen.queryByTestId('evidence-player')).toBeNull();
});
