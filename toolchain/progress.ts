const everyMs = 20_000;

/** What happens now, on stderr: one line that is rewritten on a terminal, a line now and then elsewhere. */
export interface Progress {
  /** Replaces what is shown. */
  now(text: string): void;
  /** Leaves a line standing. */
  say(line: string): void;
  end(): void;
}

/** Progress with the time since its start, such as `[1:05] compiling …`. */
export function showProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  const start = Date.now();
  const elapsed = () => {
    const seconds = Math.round((Date.now() - start) / 1000);
    return `[${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}]`;
  };
  const clear = stream.isTTY ? "\r\u001b[K" : "";
  let current = "";
  const show = () => {
    if (current === "") return;
    const line = `${elapsed()} ${current}`;
    stream.write(stream.isTTY ? `${clear}${line.slice(0, (stream.columns ?? 80) - 1)}` : `${line}\n`);
  };
  const timer = setInterval(show, stream.isTTY ? 500 : everyMs);
  timer.unref();
  return {
    now(text) {
      current = text;
      if (stream.isTTY) show();
    },
    say(line) {
      stream.write(`${clear}${line}\n`);
    },
    end() {
      clearInterval(timer);
      current = "";
      stream.write(clear);
    },
  };
}
