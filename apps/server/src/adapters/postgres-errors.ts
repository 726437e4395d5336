/** PostgreSQL's errors: which mean the server, and which the statement. */
import { isBailiwickError } from '@bailiwick/contract';
import pg from 'pg';
import { storeUnavailable } from './store-errors.js';

/** PostgreSQL's classes that mean "the server", not "your statement": connection, resources, operator, system, configuration. */
const serverFault = /^(08|53|57|58|F0|25006|40001|40P01)/;

/** `store.unavailable`, unless it is a fault of the statement (a constraint, a syntax error), which stays as it is. */
export function toPostgresError(error: unknown): unknown {
  const isStatements = error instanceof pg.DatabaseError && !serverFault.test(error.code ?? '');
  return isStatements || isBailiwickError(error) ? error : storeUnavailable('PostgreSQL', error);
}
