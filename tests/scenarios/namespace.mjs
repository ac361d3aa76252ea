// Scenarios that set the kernel's network up for themselves: the whole file runs once more in a network namespace of its
// own, with nothing but a loopback interface.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../clients/run.mjs';
import { scenario, SCENARIO_MAX_MS } from './harness.mjs';

const SET_UP = 'ip link set lo up && for s in $EKSGATE_SYSCTLS; do sysctl -q -w "$s" || exit 1; done; exec "$0" "$@"';

// `file` is the caller's import.meta.url, `sysctls` a list of "name=value". Needs root.
export function isolatedScenario(name, file, sysctls, fn) {
	if (process.env.EKSGATE_NAMESPACE) {
		scenario(name, fn);
		return;
	}
	const skip = process.getuid() !== 0 && 'only root can make a network namespace';
	test(name, { skip, timeout: SCENARIO_MAX_MS }, async () => {
		const words = ['-n', 'sh', '-c', SET_UP, process.execPath, '--test-reporter=tap', fileURLToPath(file)];
		const env = { ...process.env, EKSGATE_NAMESPACE: '1', EKSGATE_SYSCTLS: sysctls.join(' ') };
		delete env.NODE_TEST_CONTEXT;
		const { code, stdout, stderr } = await run('unshare', words, { env, timeoutMs: SCENARIO_MAX_MS });
		assert.equal(code, 0, `${stdout}\n${stderr}`);
	});
}
