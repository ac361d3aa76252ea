// A machine that systemd started, for what only an installation shows: units, users, directories, the journal. Namespaces of
// its own (processes, mounts, host name, cgroups) over this machine's files; what is written below /usr, /etc and /var goes to
// memory and is gone with it. The network is ours, so that it reaches the simulators. Needs root.
import { readFileSync } from 'node:fs';
import { run, Running, until } from '../clients/run.mjs';

// As the first process of new namespaces. No unit of this machine's own is started there.
const BOOT = `set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir /run/upper
for name in usr etc var; do
	mkdir -p /run/upper/$name/files /run/upper/$name/work
	mount -t overlay overlay -o lowerdir=/$name,upperdir=/run/upper/$name/files,workdir=/run/upper/$name/work /$name
done
umount -l /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
rm -rf /etc/systemd/system/* /usr/lib/systemd/system/*.target.wants /etc/fstab /etc/eksgate /var/*/eksgate*
mkdir -p /run/systemd/system /run/systemd/journald.conf.d
printf '[Journal]\\nStorage=volatile\\nReadKMsg=no\\n' >/run/systemd/journald.conf.d/own.conf
for name in sysinit basic network-online shutdown multi-user; do
	printf '[Unit]\\nDescription=%s\\nDefaultDependencies=no\\n' "$name" >/run/systemd/system/$name.target
done
exec env -i container=eksgate PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=multi-user.target --show-status=no --log-target=console`;

// In the place where cgroups of the second version are, wherever this machine has mounted them, or nowhere.
const ENTER = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/cgroup
mount -t cgroup2 cgroup2 /mnt/cgroup
mkdir /mnt/cgroup/$0
echo $$ >/mnt/cgroup/$0/cgroup.procs
umount -l /mnt/cgroup
umount -l /mnt
exec unshare --cgroup --pid --fork --kill-child --mount --uts --ipc sh -c "$1"`;

// The cgroups of a machine that is gone.
const LEAVE = `set -e
mount -t cgroup2 cgroup2 /mnt
find /mnt/$0 -depth -type d -exec rmdir {} +`;

const alone = (...words) => ['unshare', '--mount', '--propagation', 'private', ...words];

export class Machine extends Running {
	constructor() {
		const name = `eksgate-${process.pid}`;
		const [program, ...words] = alone('sh', '-c', ENTER, name, BOOT);
		super(program, words);
		this.cgroup = name;
		process.on('exit', () => this.child.kill('SIGKILL'));
	}

	// Without a shutdown.
	async off() {
		await this.kill('SIGKILL');
		await until('its processes are gone', async () => {
			const [program, ...words] = alone('sh', '-c', LEAVE, this.cgroup);
			const { code, stderr } = await run(program, words);
			if (code !== 0) throw new Error(stderr);
			return true;
		});
	}

	// Until systemd answers, and the journal is open.
	async up() {
		await until('systemd is up', async () => {
			if (this.isEnded) return true;
			const [first] = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8').trim().split(' ');
			if (!first) return false;
			this.first = first;
			return (await this.run('systemctl', ['is-system-running'])).stdout.trim() === 'running';
		});
		if (this.isEnded) throw new Error(this.stderr);
		await this.must('systemctl', ['start', 'systemd-journald.socket', 'systemd-journald']);
		return this;
	}

	// As root on the machine: as run().
	run(program, args, options) {
		return run('nsenter', ['-t', this.first, '-m', '-p', '-u', '-i', '-C', '--', program, ...args], options);
	}

	// Its standard output; it must end with 0.
	async must(program, args, options) {
		const result = await this.run(program, args, options);
		if (result.code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${result.code}: ${result.stderr}${result.stdout}`);
		return result.stdout;
	}

	write(path, text, mode = '0644') {
		return this.must('sh', ['-c', `umask 077 && cat >"$0" && chmod ${mode} "$0"`, path], { input: text });
	}
}

// Why there can be none here, where namespaces, overlays or cgroups are not to be had; '' when one was up.
export async function whyNoMachine() {
	if (process.getuid() !== 0) return 'only root can start a machine';
	const machine = new Machine();
	try {
		await machine.up();
		await machine.off();
		return '';
	} catch (error) {
		await machine.kill('SIGKILL');
		return `no machine can be started here: ${error.message.trim()}`;
	}
}
