// A certificate authority and a server certificate for one API server, made by the openssl program.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function openssl(directory, args) {
	execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

// {ca (PEM), cert (PEM chain), key}. `names`: subjectAltName entries; `days` below 0 makes an expired one.
export function makePki(name, { names = ['IP:127.0.0.1', 'DNS:kubernetes'], days = 365 } = {}) {
	const directory = mkdtempSync(join(tmpdir(), 'eksgate-pki-'));
	try {
		openssl(directory, [
			'req',
			'-x509',
			...KEY,
			'-keyout',
			'ca.key',
			'-out',
			'ca.pem',
			'-days',
			'3650',
			'-subj',
			`/CN=kubernetes ${name}`,
			'-addext',
			'basicConstraints=critical,CA:TRUE',
			'-addext',
			'keyUsage=critical,keyCertSign,cRLSign',
		]);
		openssl(directory, [
			'req',
			...KEY,
			'-keyout',
			'server.key',
			'-out',
			'server.csr',
			'-subj',
			'/CN=kube-apiserver',
		]);
		writeFileSync(join(directory, 'ext'), `subjectAltName=${names.join(',')}\nextendedKeyUsage=serverAuth\n`);
		openssl(directory, [
			'x509',
			'-req',
			'-in',
			'server.csr',
			'-CA',
			'ca.pem',
			'-CAkey',
			'ca.key',
			'-CAcreateserial',
			'-days',
			String(days),
			'-extfile',
			'ext',
			'-out',
			'server.pem',
		]);
		const read = (file) => readFileSync(join(directory, file), 'utf8');
		return { ca: read('ca.pem'), cert: read('server.pem') + read('ca.pem'), key: read('server.key') };
	} finally {
		rmSync(directory, { recursive: true });
	}
}
