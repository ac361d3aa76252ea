// EC2 as far as discovery asks it: DescribeRegions, the regions that the account may use, in XML.
const NAMESPACE = 'http://ec2.amazonaws.com/doc/2016-11-15/';

export const operations = {
	DescribeRegions({ state, caller }) {
		const Regions = [...state.accounts.get(caller.account).regions]
			.filter(([, status]) => ['ENABLED', 'ENABLED_BY_DEFAULT'].includes(status))
			.map(([RegionName, status]) => ({
				RegionName,
				OptInStatus: status === 'ENABLED' ? 'opted-in' : 'opt-in-not-required',
			}));
		return { Regions };
	},
};

export function writeRegions({ Regions }, requestId) {
	const items = Regions.map(
		({ RegionName, OptInStatus }) =>
			`        <item>\n            <regionName>${RegionName}</regionName>\n` +
			`            <regionEndpoint>ec2.${RegionName}.amazonaws.com</regionEndpoint>\n` +
			`            <optInStatus>${OptInStatus}</optInStatus>\n        </item>\n`,
	);
	return {
		type: 'text/xml;charset=UTF-8',
		body:
			`<?xml version="1.0" encoding="UTF-8"?>\n<DescribeRegionsResponse xmlns="${NAMESPACE}">\n` +
			`    <requestId>${requestId}</requestId>\n    <regionInfo>\n${items.join('')}    </regionInfo>\n` +
			'</DescribeRegionsResponse>',
	};
}

export function writeEc2Error(error, requestId) {
	return {
		type: 'text/xml;charset=UTF-8',
		body:
			'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>' +
			`<Code>${error.code}</Code><Message>${error.message}</Message></Error></Errors>` +
			`<RequestID>${requestId}</RequestID></Response>`,
	};
}
