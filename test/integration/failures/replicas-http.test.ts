import { replicasSuite } from './replicas.js';

replicasSuite('http');
