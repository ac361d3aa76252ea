// Files whose writing fails or hangs below a daemon: tests/sim/faults.c is preloaded into it and does what the orders say, which a
// scenario changes while the daemon runs:
//
//	const faults = new Faults(world);
//	const kubeproxyd = await startKubeproxyd(world, 'main', faults.below);
//	faults.order('stall pwrite .part', 'fail fsync EIO .db');
//	await faults.untilStruck(/stall pwrite .*\.part/);
//	faults.order();
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { binary } from './daemons.mjs';
import { until } from './harness.mjs';

export class Faults {
	constructor(world, name = 'faults') {
		this.file = world.path(name);
		// Ours stands before libasan, and calls it.
		world.asanOptions += ':verify_asan_link_order=0';
		this.order();
		writeFileSync(`${this.file}.log`, '');
	}

	// An option of the daemon's start.
	get below() {
		return { wrap: ['env', `LD_PRELOAD=${binary('tests/faults.so')}`, `EKSGATE_FAULTS=${this.file}`] };
	}

	// From now on these orders hold, and no others.
	order(...orders) {
		writeFileSync(`${this.file}.new`, orders.map((line) => `${line}\n`).join(''));
		renameSync(`${this.file}.new`, this.file);
	}

	// The calls that met an order so far: "fail pwrite /a/path".
	get struck() {
		return readFileSync(`${this.file}.log`, 'utf8').split('\n').filter(Boolean);
	}

	untilStruck(pattern) {
		return until(`${pattern} struck`, () => {
			const { struck } = this;
			if (!struck.some((line) => pattern.test(line))) throw new Error(struck.slice(-10).join('; '));
			return struck;
		});
	}
}
