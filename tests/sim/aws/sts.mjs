// STS and Account Management: who is calling, becoming a role, which regions an account may use.
import { randomUUID } from 'node:crypto';
import { AwsError, modelError } from './model.mjs';
import { createSession, permissionFor } from './state.mjs';

function denied(caller, roleArn) {
	return new AwsError(
		403,
		'AccessDenied',
		`User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`,
	);
}

// A trust policy lets in a principal by its ARN, or a whole account by its root; then, and across accounts, the caller
// also needs sts:AssumeRole.
function isTrusted(state, role, caller, externalId, region) {
	const root = `arn:aws:iam::${caller.account}:root`;
	return role.trust.some((statement) => {
		if (statement.externalId !== undefined && statement.externalId !== externalId) return false;
		const isNamed = [caller.principalArn, caller.arn].includes(statement.principal);
		if (!isNamed && statement.principal !== root) return false;
		if (isNamed && caller.account === role.account) return true;
		return (
			permissionFor(state, caller.principalArn, { action: 'sts:AssumeRole', region, resource: role.arn }) ===
			'allow'
		);
	});
}

export const operations = {
	AssumeRole({ state, caller, region }, input) {
		const role = state.principals.get(input.RoleArn);
		if (!role || role.kind !== 'role' || !isTrusted(state, role, caller, input.ExternalId, region))
			throw denied(caller, input.RoleArn);
		const seconds = input.DurationSeconds ?? 3600;
		if (caller.sessionName !== null && seconds > 3600) {
			throw new AwsError(
				400,
				'ValidationError',
				'The requested DurationSeconds exceeds the 1 hour session limit for roles ' +
					'assumed by role chaining',
			);
		}
		if (seconds > Math.max(role.maxDuration, 3600)) {
			throw new AwsError(
				400,
				'ValidationError',
				'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
			);
		}
		const session = createSession(state, role, input.RoleSessionName, state.settings.sessionSeconds ?? seconds);
		return {
			AssumedRoleUser: { AssumedRoleId: session.principal.userId, Arn: session.principal.arn },
			Credentials: {
				AccessKeyId: session.accessKeyId,
				SecretAccessKey: session.secret,
				SessionToken: session.token,
				Expiration: new Date(session.expires).toISOString().replace(/\.\d+Z/, 'Z'),
			},
			PackedPolicySize: 0,
		};
	},

	GetCallerIdentity({ caller }) {
		return { Arn: caller.arn, UserId: caller.userId, Account: caller.account };
	},
};

export const accountOperations = {
	ListRegions({ state, caller }, input) {
		if (input.AccountId !== undefined && input.AccountId !== caller.account) {
			throw modelError(
				'account',
				'AccessDeniedException',
				`User: ${caller.arn} is not authorized to perform: account:ListRegions ` +
					`on account ${input.AccountId}`,
			);
		}
		const wanted = input.RegionOptStatusContains;
		const regions = [...state.accounts.get(caller.account).regions]
			.sort(([a], [b]) => (a < b ? -1 : 1))
			.filter(([, status]) => !wanted || wanted.includes(status))
			.map(([RegionName, RegionOptStatus]) => ({ RegionName, RegionOptStatus }));
		const from = input.NextToken ? Number(Buffer.from(input.NextToken, 'base64').toString()) : 0;
		if (!Number.isInteger(from))
			throw modelError('account', 'ValidationException', 'NextToken is not valid', {
				reason: 'fieldValidationFailed',
			});
		const to = from + Math.min(input.MaxResults ?? 20, state.settings.pageSize);
		const token = to < regions.length ? Buffer.from(String(to)).toString('base64') : undefined;
		return { Regions: regions.slice(from, to), ...(token ? { NextToken: token } : {}) };
	},
};

// --- the query protocol's answers ------------------------------------------------------------------------------------

function escapeXml(text) {
	return String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
}

function toXml(value, indent = '    ') {
	return Object.entries(value)
		.map(([name, item]) =>
			typeof item === 'object'
				? `${indent}<${name}>\n${toXml(item, `${indent}  `)}${indent}</${name}>\n`
				: `${indent}<${name}>${escapeXml(item)}</${name}>\n`,
		)
		.join('');
}

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';

// {type, body} of an answer, in XML or, when the client asks for it, JSON.
export function writeAnswer(operation, answer, requestId, wantsJson) {
	if (wantsJson) {
		const document = {
			[`${operation}Response`]: { [`${operation}Result`]: answer, ResponseMetadata: { RequestId: requestId } },
		};
		return { type: 'application/json', body: JSON.stringify(document) };
	}
	return {
		type: 'text/xml',
		body:
			`<${operation}Response xmlns="${NAMESPACE}">\n  <${operation}Result>\n${toXml(answer)}  </${operation}Result>\n` +
			`  <ResponseMetadata>\n    <RequestId>${requestId}</RequestId>\n  </ResponseMetadata>\n</${operation}Response>\n`,
	};
}

export function writeError(error, requestId, wantsJson) {
	const type = error.status >= 500 ? 'Receiver' : 'Sender';
	if (wantsJson) {
		return {
			type: 'application/json',
			body: JSON.stringify({
				Error: { Code: error.code, Message: error.message, Type: type },
				RequestId: requestId,
			}),
		};
	}
	return {
		type: 'text/xml',
		body:
			`<ErrorResponse xmlns="${NAMESPACE}">\n  <Error>\n    <Type>${type}</Type>\n    <Code>${escapeXml(error.code)}</Code>\n` +
			`    <Message>${escapeXml(error.message)}</Message>\n  </Error>\n  <RequestId>${requestId}</RequestId>\n</ErrorResponse>\n`,
	};
}

export function newRequestId() {
	return randomUUID();
}
