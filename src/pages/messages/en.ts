/** The texts of authmount's pages. `{app}` and other placeholders are filled in. */
export interface Messages {
  readonly consentTitle: string
  readonly consentHeading: string
  readonly verified: string
  readonly unverified: string
  readonly signedInAs: string
  readonly notYou: string
  readonly asksTo: string
  readonly knowWhoYouAre: string
  readonly alreadyAllowed: string
  readonly sensitive: string
  readonly changesData: string
  readonly optionalScopes: string
  readonly forUseAt: string
  readonly destination: string
  readonly takeBack: string
  readonly staysConnected: string
  readonly homepage: string
  readonly privacyPolicy: string
  readonly termsOfService: string
  readonly allow: string
  readonly deny: string
  readonly errorTitle: string
  readonly unknownApp: string
  readonly badRequest: string
  readonly notAllowed: string
  readonly expired: string
  readonly unavailable: string
  readonly serverError: string
  readonly forDevelopers: string
  readonly errorCode: string
  readonly errorDetail: string
  readonly reference: string
  readonly closePage: string
  readonly signedOutTitle: string
  readonly signedOut: string
  readonly oneMoment: string
  readonly continueButton: string
  readonly connectedTitle: string
  readonly connectedIntro: string
  readonly connectedNone: string
  readonly connectedSince: string
  readonly removeAccess: string
  readonly accessRemoved: string
  readonly whereSignedIn: string
  readonly signedInOn: string
  readonly lastUsed: string
  readonly endDevice: string
  readonly deviceEnded: string
  readonly consentHeadingUnnamed: string
  readonly callsItself: string
  readonly uncheckedApp: string
  readonly destinationHere: string
  readonly badDocument: string
  readonly awaitsAdmission: string
  readonly refusedByOrganization: string
  readonly deviceTitle: string
  readonly deviceEnterCode: string
  readonly deviceCode: string
  readonly deviceCodeWrong: string
  readonly deviceHeading: string
  readonly deviceCompare: string
  readonly deviceWarning: string
  readonly deviceFrom: string
  readonly deviceAllowedTitle: string
  readonly deviceAllowed: string
  readonly deviceDeniedTitle: string
  readonly deviceDenied: string
}

export const en: Messages = {
  consentTitle: 'Allow {app}?',
  consentHeading: '{app} wants to act for you',
  verified: 'Verified by {server}',
  unverified: 'Not verified by {server}: allow it only if you know it',
  signedInAs: 'Signed in as {user}',
  notYou: 'Not you?',
  asksTo: 'It asks to:',
  knowWhoYouAre: 'Know who you are',
  alreadyAllowed: 'Already allowed ({count})',
  sensitive: 'Sensitive',
  changesData: 'Changes data',
  optionalScopes: 'Optional: tick to allow',
  forUseAt: 'It will use this at {resource}.',
  destination: 'You will be sent to {host}.',
  takeBack: 'You can take this back at any time.',
  staysConnected: 'It stays connected while you are away.',
  homepage: 'Website',
  privacyPolicy: 'Privacy policy',
  termsOfService: 'Terms of service',
  allow: 'Allow',
  deny: 'Deny',
  errorTitle: 'This did not work',
  unknownApp: 'The app that sent you here is not known to {server}, or has been switched off.',
  badRequest: 'The app that sent you here made a request that cannot be answered.',
  notAllowed: 'You cannot do this with the account you are signed in with.',
  expired: 'This page is no longer valid. Go back to the app and start again.',
  unavailable: '{server} cannot answer right now. Try again in a moment.',
  serverError: 'Something went wrong at {server}. Try again later.',
  forDevelopers: 'For developers',
  errorCode: 'Error',
  errorDetail: 'Details',
  reference: 'Reference',
  closePage: 'You can close this page.',
  signedOutTitle: 'Signed out',
  signedOut: 'You are signed out.',
  oneMoment: 'One moment',
  continueButton: 'Continue',
  connectedTitle: 'Connected apps',
  connectedIntro: 'These apps may act for you at {server}.',
  connectedNone: 'No app may act for you.',
  connectedSince: 'Allowed on {date}',
  removeAccess: 'Remove access',
  accessRemoved: '{app} can no longer act for you.',
  whereSignedIn: 'Where it is signed in',
  signedInOn: 'Signed in on {date}',
  lastUsed: 'Last used on {date}',
  endDevice: 'End this one',
  deviceEnded: '{app} can no longer act for you from there.',
  consentHeadingUnnamed: 'An app that calls itself “{app}” wants to act for you',
  callsItself: 'It calls itself “{app}”. Nobody at {server} has checked it.',
  uncheckedApp: 'Nobody at {server} has checked it. Allow it only if you have just started it yourself.',
  destinationHere: 'You will be sent back to a program on this computer. Allow it only if you have just started it yourself.',
  badDocument: '{app} describes itself in a way that {server} cannot use. Its makers must mend that. Nothing has been shared.',
  awaitsAdmission:
    'An admin of your organisation must allow {app} first. Your request is on their list. Nothing has been shared. When it is allowed, start again from the app.',
  refusedByOrganization: 'Your organisation does not allow {app}. Nothing has been shared.',
  deviceTitle: 'Connect a device',
  deviceEnterCode: 'Type the code that your device or terminal shows.',
  deviceCode: 'Code',
  deviceCodeWrong: 'No device waits with this code. Check it, or start again on the device.',
  deviceHeading: '{app} on another device wants to act for you',
  deviceCompare: 'Your device must show this code: {code}',
  deviceWarning: 'Allow it only if you have just started it yourself. If somebody sent you this code or this address, deny it.',
  deviceFrom: 'Asked from {address} at {time}.',
  deviceAllowedTitle: 'Device connected',
  deviceAllowed: '{app} on your device may now act for you. Go back to it.',
  deviceDeniedTitle: 'Device refused',
  deviceDenied: '{app} on that device may not act for you.',
}
