// What is in a recording, as ffprobe and ffmpeg see it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function probe(bytes) {
  const dir = mkdtempSync(join(tmpdir(), 'televisit-probe-'));
  const file = join(dir, 'recording');
  try {
    writeFileSync(file, bytes);
    const { streams, format } = JSON.parse(execFileSync('ffprobe', ['-v', 'error', '-count_frames', '-count_packets', '-show_streams', '-show_format', '-of', 'json', file]));
    const video = streams.find((s) => s.codec_type === 'video');
    const audio = streams.find((s) => s.codec_type === 'audio');
    return {
      frames: Number(video?.nb_read_frames ?? 0), width: video?.width, audioPackets: Number(audio?.nb_read_packets ?? 0),
      seconds: Number(format.duration), loudness: meanVolume(file),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function meanVolume(file) {
  const said = execFileSync('sh', ['-c', 'ffmpeg -hide_banner -nostats -i "$1" -map 0:a:0 -af volumedetect -f null - 2>&1', 'sh', file]).toString();
  return Number(/mean_volume: (-?[\d.]+) dB/.exec(said)?.[1] ?? -Infinity);
}
