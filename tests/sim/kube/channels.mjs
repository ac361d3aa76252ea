// The numbered channels inside a Kubernetes WebSocket: the first byte of a binary message says which one it is for. Each is
// a stream of its own here, so that a reader that is slow slows the other end down.
import { Readable, Writable } from 'node:stream';

const CLOSE = 255; // v5.channel.k8s.io: the next byte names a channel that has ended

class Input extends Readable {
	constructor(channels) {
		super({ read: () => channels.unblock(this) });
	}
}

export class Channels {
	// `canClose`: whether the protocol has the close message.
	constructor(ws, { canClose = false } = {}) {
		Object.assign(this, { ws, canClose, inputs: new Map(), blocked: new Set() });
		ws.on('message', (data) => this.onMessage(data));
		ws.on('close', () => this.onGone());
		ws.on('error', () => this.onGone());
	}

	onMessage(data) {
		if (data.length === 0) return;
		if (data[0] === CLOSE && this.canClose) {
			const input = this.inputs.get(data[1]);
			input?.push(null);
			this.unblock(input); // nobody asks it for more
			return;
		}
		const input = this.inputs.get(data[0]);
		if (!input || data.length === 1 || input.push(data.subarray(1))) return;
		this.blocked.add(input);
		this.ws.pause();
	}

	unblock(input) {
		if (this.blocked.delete(input) && this.blocked.size === 0) this.ws.resume();
	}

	onGone() {
		for (const input of this.inputs.values()) input.destroy();
	}

	input(number) {
		const input = new Input(this);
		this.inputs.set(number, input);
		return input;
	}

	// Its end is not told: only clients send the close message.
	output(number) {
		return new Writable({
			write: (data, _encoding, done) => this.send(number, data, done),
		});
	}

	send(number, data, done = () => {}) {
		if (this.ws.readyState === this.ws.OPEN)
			this.ws.send(Buffer.concat([Buffer.from([number]), data]), () => done());
		else done();
	}
}
