// The pages a person sees. Each says on <main data-page> which one it is, so that approve.mjs, like
// a person, knows where it stands. Nothing is loaded from elsewhere: the tests run offline.
export const escape = (s) => String(s ?? '').replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function page(name, title, body) {
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title></head>
<body><main data-page="${name}"><h1>${title}</h1>
${body}
</main></body></html>`;
}

const button = (name, label, form) => `<button type="submit" name="${name}" value="yes" form="${form}">${label}</button>`;

/** The library brings the form with its hidden fields; this adds the field's button. */
export const enterCode = (form, problem) => page('enter-code', 'Enter the code your device shows',
  `${problem ? `<p role="alert">${escape(problem)}</p>` : ''}${form}${button('go', 'Continue', 'op.deviceInputForm')}`);

export const confirmCode = (form, client, code) => page('confirm-code', 'Is this the code on your device?',
  `<p>${escape(client)} shows <code>${escape(code)}</code></p>${form}
${button('go', 'Yes', 'op.deviceConfirmForm')}${button('abort', 'No', 'op.deviceConfirmForm')}`);

export const login = (action) => page('login', 'Sign in', `<form id="login" method="post" action="${escape(action)}/login">
<input name="username" autocomplete="username"><input name="password" type="password"></form>
${button('go', 'Sign in', 'login')}`);

export const wrongPassword = () => page('wrong-password', 'Wrong user or password', '<p>Go back and try again.</p>');

export const consent = (action, { client, user, scope }) => page('consent', `Allow ${escape(client)}?`,
  `<p>${escape(client)} asks ${escape(user)} for <b>${escape(scope)}</b></p>
<form id="allow" method="post" action="${escape(action)}/allow"></form>${button('go', 'Allow', 'allow')}
<form id="deny" method="post" action="${escape(action)}/deny"></form>${button('deny', 'Deny', 'deny')}`);

export const signedIn = () => page('signed-in', 'You are signed in', '<p>You can close this page.</p>');

export const ended = (why) => page('ended', 'Nothing was allowed', `<p>${escape(why)}</p>`);

export const failed = (error, why) => page('failed', 'That did not work', `<p>${escape(error)}: ${escape(why)}</p>`);
