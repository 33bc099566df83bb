// How loud the microphone is, and the test tone of the speaker.

/** Calls heard with 0..1 about ten times a second until the returned function is called. */
export function listen(track: MediaStreamTrack, heard: (level: number) => void): () => void {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  const source = context.createMediaStreamSource(new MediaStream([track]));
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = window.setInterval(() => {
    if (context.state === 'suspended') void context.resume();
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    heard(Math.min(1, Math.sqrt(power) * 6));
  }, 100);
  return () => {
    window.clearInterval(timer);
    source.disconnect();
    void context.close();
  };
}

/** Two soft notes. */
export async function playTone(): Promise<void> {
  const context = new AudioContext();
  const gain = context.createGain();
  gain.connect(context.destination);
  gain.gain.setValueAtTime(0, context.currentTime);
  gain.gain.linearRampToValueAtTime(0.25, context.currentTime + 0.05);
  gain.gain.setValueAtTime(0.25, context.currentTime + 0.9);
  gain.gain.linearRampToValueAtTime(0, context.currentTime + 1.1);
  const tone = context.createOscillator();
  tone.frequency.setValueAtTime(523, context.currentTime);
  tone.frequency.setValueAtTime(659, context.currentTime + 0.5);
  tone.connect(gain);
  tone.start();
  tone.stop(context.currentTime + 1.2);
  await new Promise((resolve) => (tone.onended = resolve));
  await context.close();
}
