// The policies that `discoveryd iam-policy` prints are IAM's by their grammar, and enough: with them and nothing else
// discovery finds everything in both accounts; without any one of their actions it does not, or says what it costs.
import assert from 'node:assert/strict';
import Ajv from 'ajv/dist/2020.js';
import { EXTERNAL_ID } from './world.mjs';
import { command, MATCHED, OTHER, OWN, scenario, startDiscoveryd, until } from './harness.mjs';

const some = (items) => ({ type: 'array', minItems: 1, uniqueItems: true, items });
const text = (pattern) => ({ type: 'string', pattern });
const action = text('^[a-z0-9-]+:[A-Za-z*]+$');
const resource = { anyOf: [{ const: '*' }, some(text('^arn:aws[a-z-]*:[a-z0-9-]+:[^:]*:[^:]*:.+$'))] };
const condition = {
	type: 'object',
	minProperties: 1,
	patternProperties: {
		'^(ForAnyValue:|ForAllValues:)?(String|Arn)(Equals|Like)$': {
			type: 'object',
			minProperties: 1,
			patternProperties: { '^[a-z0-9]+:[A-Za-z]+$': { anyOf: [text('.'), some(text('.'))] } },
			additionalProperties: false,
		},
	},
	additionalProperties: false,
};
const statement = (about) => ({
	type: 'object',
	required: ['Sid', 'Effect', 'Action', ...Object.keys(about)],
	properties: { Sid: text('^[A-Za-z0-9]+$'), Effect: { enum: ['Allow', 'Deny'] }, Action: some(action), Condition: condition, ...about },
	additionalProperties: false,
});
const policy = (about) => ({
	type: 'object',
	required: ['Version', 'Statement'],
	properties: { Version: { const: '2012-10-17' }, Statement: some(statement(about)) },
	additionalProperties: false,
});
const principal = {
	type: 'object',
	minProperties: 1,
	maxProperties: 1,
	properties: { AWS: text('^arn:aws[a-z-]*:iam::\\d{12}:(root|(user|role)/.+)$'), Service: text('^ec2\\.amazonaws\\.com(\\.cn)?$') },
	additionalProperties: false,
};
const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false });
const grammar = { permissions: ajv.compile(policy({ Resource: resource })), trust: ajv.compile(policy({ Principal: principal })) };
const LONGEST = { permissions: 6144, trust: 2048 }; // characters but white space

async function print(world, words = []) {
	const { code, stdout, stderr } = await command(world, 'discoveryd', ['iam-policy', '--format', 'json', ...words]);
	assert.equal(code, 0, stderr);
	const documents = JSON.parse(stdout);
	for (const { kind, document } of documents) {
		assert.ok(grammar[kind](document), JSON.stringify(grammar[kind].errors, null, 1));
		assert.ok(JSON.stringify(document).length <= LONGEST[kind], 'it fits into a policy of IAM');
		const sids = document.Statement.map(({ Sid }) => Sid);
		assert.equal(new Set(sids).size, sids.length);
	}
	return documents;
}

// As the simulator takes them: {effect, action, region?, resource?} each.
function permissionsOf(documents, identity) {
	return documents
		.filter((entry) => entry.kind === 'permissions' && entry.identity === identity)
		.flatMap(({ document }) => document.Statement)
		.flatMap(({ Effect, Action, Resource, Condition }) =>
			Action.flatMap((name) =>
				[Resource].flat().flatMap((arn) =>
					(Condition?.StringEquals['aws:RequestedRegion'] ?? [undefined]).map((region) => ({
						effect: Effect,
						action: name,
						resource: arn,
						region,
					})),
				),
			),
		);
}

function trustOf(documents, identity) {
	const { document } = documents.find((entry) => entry.kind === 'trust' && entry.identity === identity);
	return document.Statement.map(({ Principal, Condition }) => ({
		principal: Principal.AWS,
		externalId: Condition?.StringEquals['sts:ExternalId'][0],
	}));
}

async function grant(world, documents, { except } = {}) {
	const without = (list) => list.filter((permission) => permission.action !== except);
	await world.aws('PUT', `/users/${OWN}/discovery`, {
		permissions: without(permissionsOf(documents, world.discoveryUser.arn)),
	});
	await world.aws('PUT', `/roles/${OTHER}/eksgate-discover`, {
		trust: trustOf(documents, world.roleArn),
		permissions: without(permissionsOf(documents, world.roleArn)),
	});
}

// Roles by a list of accounts, and by an organization.
async function otherAccounts(world) {
	const common = { types: ['eks'], regions: ['eu-west-1'] };
	const byList = {
		...common,
		assume_role_arn: 'arn:aws:iam::{account}:role/by-list',
		eksgate: { accounts: ['333333333333', '444444444444'] },
	};
	const byOrganization = {
		...common,
		assume_role_name: 'by-name',
		external_id: 'an-id',
		organization: { organization_id: 'o-a1b2c3d4e5', organizational_units: { include: ['*'], exclude: ['ou-a1b2-c3d4e5f6'] } },
	};
	world.config.discovery_service.aws = [byList, byOrganization];
	world.writeConfig();
	const documents = await print(world);
	const roles = documents.filter(({ kind }) => kind === 'trust').map(({ identity }) => identity);
	for (const role of ['333333333333:role/by-list', '444444444444:role/by-list', '*:role/by-name'])
		assert.ok(roles.includes(`arn:aws:iam::${role}`), role);
	const own = documents.filter(({ identity }) => identity === world.discoveryUser.arn).flatMap(({ document }) => document.Statement);
	const assume = own.find(({ Condition }) => Condition?.StringEquals['aws:ResourceOrgID']);
	assert.deepEqual([assume.Resource, assume.Condition.StringEquals['aws:ResourceOrgID']], [['arn:aws:iam::*:role/by-name'], 'o-a1b2c3d4e5']);
	assert.deepEqual(own.find(({ Sid }) => Sid === 'EKSDiscoveryOrganization').Action, [
		'organizations:ListRoots',
		'organizations:ListAccountsForParent',
		'organizations:ListOrganizationalUnitsForParent',
	]);
}

// On one EC2 instance: its role may only assume the two that the daemons are.
async function twoRoles(world) {
	const [host, discover, serve] = ['host', 'discover', 'serve'].map((name) => `arn:aws:iam::${OWN}:role/${name}`);
	const words = ['--instance-role', host, '--principal', discover, '--serving', serve];
	const documents = await print(world, words);
	assert.deepEqual(
		permissionsOf(documents, host).map(({ action, resource }) => [action, resource]),
		[discover, serve].map((role) => ['sts:AssumeRole', role]),
	);
	for (const role of [discover, serve]) assert.deepEqual(trustOf(documents, role), [{ principal: host, externalId: undefined }]);
	const other = (at, word) => Object.assign([...words], { [at]: word });
	for (const bad of [words.slice(0, 4), other(5, discover), other(5, host), other(3, `arn:aws:iam::${OWN}:user/u`), other(1, 'x')]) {
		const { code, stdout, stderr } = await command(world, 'discoveryd', ['iam-policy', ...bad]);
		assert.deepEqual([code, stdout], [2, ''], bad.join(' '));
		assert.match(stderr, /--instance-role/);
	}
}

const troubles = ({ scopes }) => scopes.filter((scope) => scope.error || scope.tagging.state === 'failed');

scenario('the IAM policy of a configuration', async (world) => {
	world.config.kubernetes_service.resources = [
		{ labels: { '*': '*' }, aws: { assume_role_arn: `arn:aws:iam::${OTHER}:role/serve`, external_id: 'for-serving' } },
	];
	world.config.discovery_service.aws[0].regions = ['*'];
	world.writeConfig();
	const documents = await print(world);
	assert.deepEqual(trustOf(documents, world.roleArn), [{ principal: world.discoveryUser.arn, externalId: EXTERNAL_ID }]);
	assert.equal(trustOf(documents, `arn:aws:iam::${OTHER}:role/serve`)[0].externalId, 'for-serving');
	const all = documents.flatMap(({ document }) => document.Statement);
	for (const sid of ['EKSDiscovery', 'EKSManageAccess']) assert.ok(all.some(({ Sid }) => Sid === sid), sid);
	assert.deepEqual(await print(world, ['--principal', `arn:aws:iam::${OWN}:user/discovery`]), documents);
	assert.match((await command(world, 'discoveryd', ['iam-policy'])).stdout, /^# account 111111111111: permissions of .*\n\{/m);
	assert.equal((await command(world, 'discoveryd', ['iam-policy', '--principal', 'nobody'])).code, 2);

	await grant(world, documents);
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(MATCHED);
	const found = await until('a first look without trouble', async () => {
		const status = await discoveryd.status();
		return status.complete && troubles(status).length === 0 ? status : null;
	});
	assert.equal(found.wildcards[0].error, undefined);
	for (const except of ['eks:ListClusters', 'tag:GetResources', 'account:ListRegions']) {
		await grant(world, documents, { except });
		discoveryd.reload();
		await until(`it is felt that ${except} is missing`, async () => {
			const status = await discoveryd.status();
			return JSON.stringify([...troubles(status), status.wildcards]).includes(`allow ${except} for`);
		});
	}

	world.config.discovery_service.aws = [
		{ ...world.config.discovery_service.aws[1], external_id: undefined },
		...Array.from({ length: 100 }, (_, i) => ({
			types: ['eks'],
			regions: ['eu-west-1'],
			assume_role_arn: `arn:aws:iam::${300000000000 + i}:role/eksgate-discover`,
		})),
	];
	world.writeConfig();
	const many = await print(world);
	assert.deepEqual(trustOf(many, world.roleArn), [{ principal: world.discoveryUser.arn, externalId: undefined }]);
	const own = many.filter(({ identity }) => identity === world.discoveryUser.arn);
	assert.equal(own.length, 3, 'the roles fit into three policies');
	for (const { document } of own) assert.ok(document.Statement.every(({ Action }) => Action[0] === 'sts:AssumeRole'));
	await discoveryd.stop();
	await twoRoles(world);
	await otherAccounts(world);
});
