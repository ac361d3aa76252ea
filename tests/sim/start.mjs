// Starts a simulator as a process of its own and waits for the line that it prints.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { controlClient } from './control.mjs';

// {ready: the printed line, control(method, path, body), pid, stop()}. It ends with us: its standard input is a pipe of ours.
export async function startSimulator(name, args = []) {
	const script = fileURLToPath(new URL(`${name}.mjs`, import.meta.url));
	const child = spawn(process.execPath, [script, '--until', 'stdin', ...args], {
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	const ended = new Promise((resolve) => {
		child.once('exit', resolve);
	});
	const line = await new Promise((resolve, reject) => {
		createInterface({ input: child.stdout }).once('line', resolve);
		child.once('exit', (code) => reject(new Error(`${name} simulator ended with ${code}`)));
	});
	const ready = JSON.parse(line);
	return {
		ready,
		pid: child.pid,
		control: controlClient(ready.control),
		async stop() {
			child.kill('SIGTERM');
			await ended;
		},
	};
}
