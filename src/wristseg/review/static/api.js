// Requests to the server. The custom header is what no other page can send with them.

export class ApiError extends Error {
  constructor(status, body) {
    super(body?.error ?? `the server answered ${status}`);
    this.status = status;
    this.body = body;
  }
}

async function answered(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new ApiError(0, { error: "the server does not answer" });
  }
  if (!response.ok) {
    const body = await response.json().catch(() => null);
    throw new ApiError(response.status, body);
  }
  return response;
}

export async function getJson(path) {
  return (await answered(path)).json();
}

export async function getBitmap(path, signal) {
  const blob = await (await answered(path, { signal })).blob();
  return createImageBitmap(blob);
}

/** Class ids of a frame, row by row. */
export async function getIds(path, signal) {
  const response = await answered(path, { signal });
  return new Uint8Array(await response.arrayBuffer());
}

export async function postJson(path, body, { keepalive = false } = {}) {
  const response = await answered(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Wristseg-Review": "1" },
    body: JSON.stringify(body),
    keepalive,
  });
  return response.json();
}
