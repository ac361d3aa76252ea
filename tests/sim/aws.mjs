// The AWS simulator: EKS, STS, Account Management, Organizations, EC2's regions and tags on one local port, every signature verified. Started by the scenarios
// and by hand; see --help.
import { createFaults } from './aws/faults.mjs';
import { routes } from './aws/control.mjs';
import { startPublic } from './aws/server.mjs';
import { createState, putUser } from './aws/state.mjs';
import { describeRoutes, endOnSignal, readOptions, startControl } from './control.mjs';

const HELP = `usage: node aws.mjs [--port N] [--control-port N] [--account ID] [--until stdin]

Speaks EKS, STS and Account Management on 127.0.0.1 as AWS does: point AWS_ENDPOINT_URL at it. Prints one JSON line with
the endpoints and the credentials of a first user, who may do everything, in account ID (111111111111).
It ends on SIGTERM; with --until stdin also when its standard input ends.

The control endpoint:
${describeRoutes(routes)}
`;

const options = readOptions(['port', 'control-port', 'account', 'until'], HELP);
const simulator = { state: createState(), faults: createFaults() };
const account = options.account ?? '111111111111';
const user = putUser(simulator.state, account, 'first', { permissions: [{ effect: 'Allow', action: '*' }] });
const server = await startPublic(simulator, Number(options.port ?? 0));
const control = await startControl(routes, simulator, Number(options['control-port'] ?? 0));
const host = `127.0.0.1:${server.address().port}`;
simulator.state.settings.tokenHosts = [host];

endOnSignal(options.until, () => {
	server.close();
	control.close();
});
process.stdout.write(
	`${JSON.stringify({
		endpoint: `http://${host}`,
		control: `http://127.0.0.1:${control.address().port}`,
		sts_host: host,
		account,
		arn: user.arn,
		access_key_id: user.accessKeyId,
		secret_access_key: user.secret,
		pid: process.pid,
	})}\n`,
);
