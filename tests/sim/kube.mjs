// The API-server simulator: any number of EKS-like API servers in one process. Started by the scenarios and by hand; see
// --help.
import { controlClient, describeRoutes, endOnSignal, readOptions, startControl } from './control.mjs';
import { startApplication } from './kube/application.mjs';
import { routes } from './kube/control.mjs';
import { PodFiles } from './kube/programs.mjs';

const HELP = `usage: node kube.mjs --aws URL [--control-port N] [--until stdin]

API servers on 127.0.0.1 that trust the AWS simulator whose control endpoint is URL. Prints one JSON line with the control
endpoint; clusters are made there. It ends on SIGTERM; with --until stdin also when its standard input ends.

The control endpoint:
${describeRoutes(routes)}
`;

const options = readOptions(['aws', 'control-port', 'until'], HELP);
if (options.aws === undefined) {
	process.stderr.write('--aws URL is needed: the control endpoint that aws.mjs printed\n');
	process.exit(2);
}
const application = await startApplication();
const files = new PodFiles();
const simulator = { clusters: new Map(), parts: { aws: controlClient(options.aws), application, files } };
const control = await startControl(routes, simulator, Number(options['control-port'] ?? 0));
endOnSignal(options.until, () => {
	control.close();
	application.close();
	files.close();
});
process.stdout.write(
	`${JSON.stringify({ control: `http://127.0.0.1:${control.address().port}`, pid: process.pid })}\n`,
);
